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
from geartrain.engine import authority
from geartrain.render.files import File
from geartrain.render.nginx.binding import Binding
from geartrain.render.nginx.shared import Claim, app_file, conflict, host_files
from geartrain.render.nginx.tls import Served, Tls

from .apps import Golden, app, edge, web
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
    "rest": app(edge(), web(routes=["/", Route(path="/api", strip=True)]), drain="30s"),
}
HERE = {
    "folder": str(HOST / "run"), "admin": "127.0.0.1:18999", "access_log": str(HOST / "access.log"),
}  # fmt: skip

PAIR = (str(HOST / "run/tls/certificate.pem"), str(HOST / "run/tls/key.pem"))
TLS = Tls(
    site=80,
    listen=("127.0.0.1:18443", "127.0.0.2:18443"),
    served=(
        Served(certificate=PAIR[0], key=PAIR[1], names=("safe.example.com", "www.example.com")),
    ),
    hsts=15552000,
)


def tree(*names: str) -> dict[str, File]:
    claims, files = [], dict[str, File]()
    for number, name in enumerate(names, 1):
        made = APPS[name]
        wanted = sites(made)
        services = {one.upstream for site in wanted for one in site.locations if one.upstream}
        binding = Binding(
            listen={site.port: (f"127.0.0.1:{18000 + site.port}",) for site in wanted},
            servers=dict.fromkeys(services, (f"10.0.{number}.2:8000", f"10.0.{number}.3:8000")),
            root=str(HOST / "static" / name),
            generation="app",
            challenges=str(HOST / "run/public"),
            **HERE,  # type: ignore[arg-type]
        )
        tls = TLS if name == "safe" else None
        text = app_file(made, name, number, wanted, binding, tls)
        files[f"apps/{name}.conf"] = File(0o644, text)
        domains = tuple(made.policy.domains)
        drain = float(made.policy.drain.removesuffix("s"))
        claims.append(
            Claim(
                app=name,
                release=number,
                domains=domains,
                listen=binding.listen,
                drain=drain,
                tls=TLS.listen if tls else (),
            )
        )
    whole = Binding(listen={}, servers={}, root="/", generation="7-abc", **HERE)  # type: ignore[arg-type]
    return {**host_files(claims, whole), **files}


CASES = {
    "tls": ("safe", "shop"),
    "none": (),
    "one": ("shop",),
    "domains": ("shop", "blog"),
    "all": ("shop", "blog", "rest"),
}


@pytest.mark.parametrize("case", CASES)
def test_goldens(case: str, golden: Golden) -> None:
    made = tree(*CASES[case])
    golden(f"nginx/shared-{case}", {path: (f.mode, f.text) for path, f in made.items()})


@pytest.mark.programs
@pytest.mark.parametrize("case", CASES)
def test_nginx_takes_it_without_a_warning(case: str, tmp_path: Path) -> None:
    authority.ensure(tmp_path / "run" / "tls", ["localhost"], tmp_path / "ca")
    made = tree(*CASES[case])
    here = {path: structs.replace(f, text=moved(f.text, tmp_path)) for path, f in made.items()}
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
