"""The edge's text, as whole trees, and what hostile values do to it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import structs

from geartrain.app.model import App
from geartrain.app.policy import Route
from geartrain.app.routes import sites
from geartrain.engine import authority
from geartrain.errors import InvalidError
from geartrain.render.files import Tree
from geartrain.render.nginx.binding import Binding
from geartrain.render.nginx.edge import render_edge
from geartrain.render.nginx.tls import Served, Tls
from geartrain.render.nginx.words import expression, word

from .apps import Golden, app, edge, html, web
from .live import test_config, write
from .own_configs import HOST, moved

GIXY = shutil.which("gixy", path=str(Path(sys.executable).parent))
BRIEF = app(edge(), web("backend", port=8080))
TLS = Tls(
    site=80,
    listen=("127.0.0.1:18443",),
    port=8443,
    served=(
        Served(
            certificate=str(HOST / "run/tls/certificate.pem"), key=str(HOST / "run/tls/key.pem")
        ),
    ),
)
CASES: dict[str, App] = {
    "brief": BRIEF,
    "replicas": app(web("web", 8000)),
    "routes": app(
        edge(8080), web("web", routes=["/"]), web("api", routes=[Route(path="/api", strip=True)])
    ),
    "static": app(edge(80, html("public"), static={"/media/": "files/media"})),
    "fallback": app(edge(80, html("dist")), web("backend")),
    "limits": app(
        edge(),
        web(rate_limit="20/s", routes=["/", Route(path="/login", rate_limit="5/m")]),
        max_body="1g",
        timeout="2m",
        drain="1500ms",
    ),
    "cache": app(edge(), web(routes=["/", Route(path="/feed/", cache="90s")])),
    "domains": app(edge(), web(), domains=["shop.example.com", "*.shop.example.com"]),
    "ports": app(web("front", 3000), web("back", 8000)),
    "worker": app(),
}


def binding(made: App) -> Binding:
    found = sites(made)
    names = {one.upstream for site in found for one in site.locations if one.upstream}
    hosts = ("127.3.0.1", "127.3.0.2") if made is CASES["replicas"] else ("127.3.0.1",)
    return Binding(
        listen={site.port: (f"127.0.0.1:{18000 + site.port}",) for site in found},
        servers={name: tuple(f"{host}:8000" for host in hosts) for name in names},
        root=str(HOST / "release"),
        folder=str(HOST / "run"),
        admin="127.0.0.1:18999",
        generation="7-abc",
        names=("localhost",) if made.policy.domains else (),
    )


SECURE = {"brief": "tls", "domains": "tls-domains"}
"""Cases that are served over TLS too, and what they are called then."""


def rendered(case: str) -> Tree:
    of = next((plain for plain, secure in SECURE.items() if secure == case), case)
    tls = TLS if of != case else None
    return render_edge(CASES[of], sites(CASES[of]), binding(CASES[of]), tls)


@pytest.mark.parametrize("case", [*CASES, *SECURE.values()])
def test_goldens(case: str, golden: Golden) -> None:
    golden(f"nginx/edge-{case}", {path: (f.mode, f.text) for path, f in rendered(case).items()})


@pytest.mark.programs
@pytest.mark.parametrize("case", [*CASES, *SECURE.values()])
def test_nginx_takes_it_without_a_warning(case: str, tmp_path: Path) -> None:
    authority.ensure(tmp_path / "run" / "tls", ["localhost"], tmp_path / "ca")
    here = {
        path: structs.replace(f, text=moved(f.text, tmp_path)) for path, f in rendered(case).items()
    }
    assert test_config(write(here, tmp_path / "conf")) == ""


# A prefix is taken off by a variable that follows the name of an upstream group: it needs no
# DNS, and nginx passes on what it holds as it is.
# HSTS would lock a laptop's `localhost` into TLS, for every other project there too.
SKIPPED = {
    "routes": "missing_resolver,proxy_pass_normalized",
    "tls": "hsts_header",
    "tls-domains": "hsts_header",
}


@pytest.mark.programs
@pytest.mark.skipif(GIXY is None, reason="gixy-ng is not installed")
@pytest.mark.parametrize("case", [*CASES, *SECURE.values()])
def test_gixy_finds_nothing(case: str, tmp_path: Path) -> None:
    assert GIXY is not None
    skips = ["--skips", SKIPPED[case]] if case in SKIPPED else []
    argv = [GIXY, *skips, write(rendered(case), tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("text", ["a$b", "a\nb", "a\x00", "a\tb"])
def test_a_word_that_cannot_be_itself_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        word(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain/path.txt", "plain/path.txt"),
        ("", '""'),
        ("a b", '"a b"'),
        ("a;b", '"a;b"'),
        ("a{b}", '"a{b}"'),
        ('a"b\\', '"a\\"b\\\\"'),
        ("a'b", '"a\'b"'),
        ("#a", '"#a"'),
    ],
)
def test_a_word_is_quoted_where_needed(text: str, written: str) -> None:
    assert word(text) == written


def test_an_expression_keeps_its_variables() -> None:
    assert expression("$host") == "$host"
    assert expression("/a b/$host") == '"/a b/$host"'


HOSTILE = ["a b", 'a";}', "a;return 200;", "a{b}", "a'b", "a\\", "a#b", "ü"]


@pytest.mark.programs
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_folders_and_paths_stay_one_word(name: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    made = app(
        edge(static={"/files/": name}),
        web(routes=[Route(path="/a%20b(c)'d", strip=True, rate_limit="5/s", cache="1s")]),
    )
    bound = structs.replace(binding(made), root=str(tmp_path / name), folder=str(run))
    tree = render_edge(made, sites(made), bound)
    assert test_config(write(tree, tmp_path / "conf")) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"root": "/srv/$host"},
        {"folder": "/srv/a\nb"},
        {"admin": "127.0.0.1:1;"},
        {"generation": "7;"},
        {"listen": {80: ("127.0.0.1:80 default_server; }",)}},
        {"servers": {"backend": ("127.0.0.1:80; }",)}},
        {"user": "root;\n"},
        {"access_log": "/x$y"},
    ],
)
def test_hostile_bindings_are_refused(change: dict[str, object]) -> None:
    made = CASES["fallback"]
    with pytest.raises(InvalidError):
        render_edge(made, sites(made), structs.replace(binding(made), **change))


@pytest.mark.parametrize(
    "change",
    [
        {"certificate": "relative.pem"},
        {"key": "/srv/a$b"},
        {"certificate": "/srv/a\nb"},
    ],
)
def test_hostile_certificates_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(InvalidError):
        _served_with(**change)


def _served_with(**change: str) -> None:
    tls = structs.replace(TLS, served=(structs.replace(TLS.served[0], **change),))
    render_edge(BRIEF, sites(BRIEF), binding(BRIEF), tls)


def test_a_hostile_address_of_https_is_refused() -> None:
    with pytest.raises(InvalidError):
        structs.replace(TLS, listen=("127.0.0.1:443; }",))


def test_keepalive_ends_before_the_drain() -> None:
    text = render_edge(CASES["limits"], (), binding(CASES["limits"]))["nginx.conf"].text
    assert "worker_shutdown_timeout 1500ms;" in text
    assert "keepalive_min_timeout 750ms;" in text


def test_services_that_differ_only_in_case_are_two_groups() -> None:
    made = app(edge(), web("Web", routes=["/a"]), web("web", routes=["/b"]))
    text = render_edge(made, sites(made), binding(made))["nginx.conf"].text
    assert "upstream web {" in text
    assert "upstream web-2 {" in text
