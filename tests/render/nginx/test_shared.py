"""One edge for several apps: their files side by side, and what they may not both have."""

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
from geartrain.app.units import seconds
from geartrain.engine import authority
from geartrain.engine.nginx import openssl
from geartrain.render.files import Tree
from geartrain.render.nginx.binding import Binding
from geartrain.render.nginx.claims import FORMAT, Claim, conflict
from geartrain.render.nginx.shared import edge_files, host_files
from geartrain.render.nginx.tls import OPTIONAL, Served

from .apps import Golden, app, edge, html, web
from .live import test_config, write
from .own_configs import HOST, moved

GIXY = shutil.which("gixy", path=str(Path(sys.executable).parent))
APPS: dict[str, App] = {
    "shop": app(edge(), web(rate_limit="20/s", cache="1m"), domains=["shop.example.com"]),
    "blog": app(
        edge(),
        web("web", routes=["/"]),
        web("api", routes=[Route(path="/api", strip=True)]),
        domains=["blog.example.com", "*.blog.example.com"],
        max_body="1g",
        timeout="2m",
    ),
    "safe": app(
        edge(),
        web(),
        domains=["safe.example.com", "www.example.com", "other.example.com"],
        hsts="180d",
    ),
    "files": app(
        edge(80, html("public"), static={"/media/": "files/media"}),
        web(routes=[Route(path="/api", cache="90s", rate_limit="5/m")]),
        domains=["files.example.com"],
    ),
    "rest": app(edge(), web(routes=["/", Route(path="/api", strip=True)]), drain="30s"),
}
HERE = Binding(
    listen={}, servers={}, root="/", folder=str(HOST / "run"), admin="127.0.0.1:18999",
    access_log=str(HOST / "access.log"), generation="7-abc",
)  # fmt: skip

PAIR = (str(HOST / "run/tls/certificate.pem"), str(HOST / "run/tls/key.pem"))
TLS = ("127.0.0.1:18443", "127.0.0.2:18443")
SERVED = Served(certificate=PAIR[0], key=PAIR[1], mark="0a1b")


def made(number: int, name: str, **rest: object) -> Claim:
    """The claim of one of the apps above, with a certificate where it is `safe`."""
    one = APPS[name]
    wanted, policy = sites(one), one.policy
    services = {two.upstream for site in wanted for two in site.locations if two.upstream}
    secured = name == "safe"
    fields: dict[str, object] = {
        "app": name,
        "release": number,
        "format": FORMAT,
        "domains": tuple(policy.domains),
        "listen": {site.port: (f"127.0.0.1:{18000 + site.port}",) for site in wanted},
        "drain": seconds(policy.drain),
        "tls": TLS if secured else (),
        "certificates": dict.fromkeys(("safe.example.com", "www.example.com"), "0a1b")
        if secured
        else {},
        "sites": wanted,
        "backends": dict.fromkeys(services, (f"10.0.{number}.2:8000", f"10.0.{number}.3:8000")),
        "root": str(HOST / "static" / name),
        "max_body": policy.max_body,
        "timeout": seconds(policy.timeout),
        "hsts": None if policy.hsts is None else round(seconds(policy.hsts)),
        **rest,
    }
    return Claim(**fields)  # type: ignore[arg-type]  # they are Claim's own


def tree(*names: str) -> Tree:
    return files([made(number, name) for number, name in enumerate(names, 1)])


def files(claims: list[Claim]) -> Tree:
    whole = structs.replace(HERE, challenges=str(HOST / "run/public"))
    return edge_files(claims, whole, {"0a1b": SERVED}, {})


CASES = {
    "tls": ("safe", "shop"),
    "none": (),
    "one": ("shop",),
    "domains": ("shop", "blog"),
    "all": ("shop", "blog", "rest"),
    "whole": ("safe", "shop", "blog", "files", "rest"),
}


@pytest.mark.parametrize("case", CASES)
def test_goldens(case: str, golden: Golden) -> None:
    written = tree(*CASES[case])
    golden(f"nginx/shared-{case}", {path: (f.mode, f.text) for path, f in written.items()})


@pytest.mark.programs
@pytest.mark.parametrize("case", CASES)
def test_nginx_takes_it_without_a_warning(case: str, tmp_path: Path) -> None:
    authority.ensure(tmp_path / "run" / "tls", ["localhost"], tmp_path / "ca")
    written = tree(*CASES[case])
    here = {path: structs.replace(f, text=moved(f.text, tmp_path)) for path, f in written.items()}
    (tmp_path / "conf" / "apps").mkdir(parents=True)
    assert test_config(write(here, tmp_path / "conf")) == ""


EARLIER = """\
upstream blog.web { server 10.0.1.2:8000; }
server {
    listen 127.0.0.1:18080;
    server_name blog.example.com;
    set $gear_release "blog 1";
    set $strict_transport "";
    location / {
        if ($stream) { return 418; }
        error_page 418 = @stream/;
        proxy_pass http://blog.web;
    }
    location @stream/ {
        proxy_set_header Connection $proxy_connection;
        proxy_set_header Upgrade $upgrade;
        proxy_pass http://blog.web;
    }
    location /static/ {
        root /srv;
        add_header Cache-Control $static_cache;
    }
    location /slow {
        proxy_cache /cache;
        proxy_pass http://blog.web;
    }
}
"""


@pytest.mark.programs
def test_a_file_that_an_earlier_version_wrote_finds_what_it_asks_for(tmp_path: Path) -> None:
    older = structs.replace(made(1, "blog"), format=0, sites=(), backends={}, domains=())
    written = edge_files([older, made(2, "shop")], HERE, {}, {"blog": EARLIER})
    here = {path: structs.replace(f, text=moved(f.text, tmp_path)) for path, f in written.items()}
    (tmp_path / "run").mkdir()
    (tmp_path / "conf" / "apps").mkdir(parents=True)
    assert test_config(write(here, tmp_path / "conf")) == ""


@pytest.mark.programs
@pytest.mark.skipif(GIXY is None, reason="gixy-ng is not installed")
@pytest.mark.parametrize("case", CASES)
def test_gixy_finds_nothing_of_medium_or_above(case: str, tmp_path: Path) -> None:
    assert GIXY is not None
    (tmp_path / "apps").mkdir()
    # See test_edge.py: a prefix is taken off by a variable that needs no DNS.
    skips = "missing_resolver,proxy_pass_normalized" if "blog" in CASES[case] else "none"
    argv = [GIXY, "-ll", "--skips", skips, write(tree(*CASES[case]), tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.programs
@pytest.mark.parametrize("hybrid", [True, False])
def test_nginx_takes_any_domain_that_has_a_certificate(hybrid: bool, tmp_path: Path) -> None:
    long = ".".join(["a" * 60] * 4)
    names = ("default", "hostnames", "include", "volatile", f"*.{long}", "*.a.test", "b.a.test")
    chosen = dict.fromkeys(names, "0a1b")
    claim = Claim(
        app="shop", release=1, domains=names, tls=("127.0.0.1:18443",), certificates=chosen
    )
    written = host_files([claim], structs.replace(HERE, hybrid=hybrid))
    here = {path: structs.replace(f, text=moved(f.text, tmp_path)) for path, f in written.items()}
    (tmp_path / "conf" / "apps").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "conf" / "apps" / "shop.conf").write_text(
        'server { listen 127.0.0.1:18080; set $gear_release ""; set $forwarded_prefix ""; }\n'
    )
    assert test_config(write(here, tmp_path / "conf")) == ""
    curves = "ssl_ecdh_curve ?X25519MLKEM768:X25519:prime256v1:secp384r1;"
    without = curves.replace("?X25519MLKEM768:", "")
    assert [one for one in (curves, without) if one in written["nginx.conf"].text] == [
        curves if hybrid else without
    ]


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("nginx version: nginx/1.31.3\nbuilt with OpenSSL 3.3.7 7 Apr 2026\n", (3, 3)),
        ("built with OpenSSL 3.0.15 (running with OpenSSL 3.0.19 27 Jan 2026)", (3, 0)),
        ("built with OpenSSL 3.3.2 3 Sep 2024 (running with OpenSSL 3.5.1 1 Jul 2025)", (3, 5)),
        ("built with LibreSSL 4.0.0", (0, 0)),
        ("built with OpenSSL 1.1.1 (compatible; AWS-LC 1.30.0)", (1, 1)),
        ("", (0, 0)),
    ],
)
def test_what_nginx_says_of_its_openssl(said: str, version: tuple[int, int]) -> None:
    assert openssl(said) == version
    assert (version >= OPTIONAL) == (version >= (3, 3))


def test_https_and_http_cannot_share_a_port() -> None:
    mine = structs.replace(claim("shop", "shop.test"), tls=("0.0.0.0:443",))
    found = conflict(mine, [claim("blog", "blog.test", port=443)])
    assert found == "port 443 is claimed by shop and by blog, for http and https"
    other = structs.replace(claim("blog", "blog.test"), tls=("0.0.0.0:443",))
    assert conflict(mine, [other]) == ""


def claim(name: str, *domains: str, port: int = 80) -> Claim:
    return Claim(app=name, release=1, domains=domains, listen={port: (f"0.0.0.0:{port}",)})


def test_two_apps_cannot_have_one_domain() -> None:
    found = conflict(claim("shop", "a.test", "b.test"), [claim("blog", "b.test")])
    assert found == "the domain b.test is claimed by shop and by blog"


def test_two_apps_cannot_both_have_every_host_name_of_a_port() -> None:
    found = conflict(claim("shop"), [claim("blog")])
    assert found == "port 80 is claimed by shop and by blog, for every host name"


def test_apps_that_share_a_port_by_domain_or_have_their_own_agree() -> None:
    others = [claim("blog", "blog.test"), claim("wiki", port=8080), claim("shop", "a.test")]
    assert conflict(claim("shop"), others) == ""
    assert conflict(claim("shop", "a.test"), others) == ""
    assert conflict(claim("shop", "blog.test", port=8080), others) == ""
