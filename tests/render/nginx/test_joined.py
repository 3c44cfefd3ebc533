"""Names that several apps answer, each at paths of its own."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from geartrain.app.model import App
from geartrain.app.policy import Route
from geartrain.app.routes import sites
from geartrain.app.units import seconds
from geartrain.engine import authority
from geartrain.render.files import Tree
from geartrain.render.nginx.binding import Binding
from geartrain.render.nginx.claims import FORMAT, Claim, agree, conflict, secure
from geartrain.render.nginx.claims import shared as shared_names
from geartrain.render.nginx.shared import JOINED, edge_files
from geartrain.render.nginx.tls import Served
from tests.ports import free_port

from .apps import Golden, app, edge, html, web
from .live import ask, backend, running, test_config, write
from .own_configs import HOST, moved

GIXY = shutil.which("gixy", path=str(Path(sys.executable).parent))
BOTH = "example.org"
APPS: dict[str, App] = {
    "site": app(
        edge(80, html("public")), web(), domains=[BOTH, "www.example.org"], max_body="1g", hsts="1d"
    ),
    "shop": app(
        edge(),
        web(routes=[Route(path="/shop", strip=True, rate_limit="20/s", cache="1m")]),
        domains=[BOTH],
        timeout="2m",
    ),
    "docs": app(
        edge(80, html("public", "/docs")),
        web(routes=["/search/"]),
        domains=["docs.example.org", BOTH],
        hsts="180d",
    ),
    "tool": app(web("web", 9000), domains=[BOTH]),
    "beside": app(web("web", 9000, routes=["/beside"]), domains=[BOTH]),
    "double": app(edge(), web("web", 9000, routes=["/double"]), domains=[BOTH]),
    "rest": app(edge(), web()),
    "part": app(edge(), web(routes=["/part"])),
}
CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "plain": (("site", "shop"), ()),
    "tls": (("site", "shop", "docs"), (BOTH, "docs.example.org")),
    "rootless": (("docs", "shop"), ()),
    "every": (("part", "rest"), ()),
    # Their main ports differ, so that they meet on https; one answers http on the other's, too.
    "ports": (("site", "beside"), (BOTH,)),
    "mixed": (("beside", "double"), (BOTH,)),
}
HERE = Binding(
    listen={}, servers={}, root="/", folder=str(HOST / "run"), admin="127.0.0.1:18999",
    access_log=str(HOST / "access.log"), generation="7-abc", challenges=str(HOST / "run/public"),
)  # fmt: skip
PAIR = (str(HOST / "run/tls/certificate.pem"), str(HOST / "run/tls/key.pem"))


def claim(name: str, number: int = 1, *secured: str, ports: int = 18000, **rest: object) -> Claim:
    one = APPS[name]
    wanted, policy = sites(one), one.policy
    listen = {site.port: (f"127.0.0.1:{ports + site.port}",) for site in wanted}
    kept = {domain: "0a1b" for domain in policy.domains if domain in secured}
    services = {two.upstream for site in wanted for two in site.locations if two.upstream}
    fields: dict[str, object] = {
        "app": name,
        "release": number,
        "format": FORMAT,
        "domains": tuple(policy.domains),
        "listen": listen,
        "tls": secure(listen[wanted[0].port], 18443) if kept else (),
        "tls_port": 18443,
        "certificates": kept,
        "sites": wanted,
        "backends": dict.fromkeys(services, (f"10.0.{number}.2:8000",)),
        "root": str(HOST / "static" / name),
        "max_body": policy.max_body,
        "timeout": seconds(policy.timeout),
        "hsts": None if policy.hsts is None else round(seconds(policy.hsts)),
        **rest,
    }
    return Claim(**fields)  # type: ignore[arg-type]  # they are Claim's own


def files(*claims: Claim) -> Tree:
    served = Served(certificate=PAIR[0], key=PAIR[1], mark="0a1b")
    return edge_files(claims, HERE, {"0a1b": served}, {})


def case(name: str) -> Tree:
    names, secured = CASES[name]
    return files(*(claim(one, number, *secured) for number, one in enumerate(names, 1)))


@pytest.mark.parametrize("name", CASES)
def test_goldens(name: str, golden: Golden) -> None:
    written = {path: one for path, one in case(name).items() if path.startswith(("apps/", JOINED))}
    golden(f"nginx/joined-{name}", {path: (f.mode, f.text) for path, f in written.items()})


@pytest.mark.programs
@pytest.mark.parametrize("name", CASES)
def test_nginx_takes_it_without_a_warning(name: str, tmp_path: Path) -> None:
    authority.ensure(tmp_path / "run" / "tls", ["localhost"], tmp_path / "ca")
    made = case(name)
    here = {path: structs.replace(f, text=moved(f.text, tmp_path)) for path, f in made.items()}
    assert test_config(write(here, tmp_path / "conf")) == ""


@pytest.mark.programs
@pytest.mark.skipif(GIXY is None, reason="gixy-ng is not installed")
@pytest.mark.parametrize("name", CASES)
def test_gixy_finds_nothing_of_medium_or_above(name: str, tmp_path: Path) -> None:
    assert GIXY is not None
    # See test_edge.py: a prefix is taken off by a variable that needs no DNS.
    skips = "missing_resolver,proxy_pass_normalized"
    argv = [GIXY, "-ll", "--skips", skips, write(case(name), tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_order_of_apps_makes_no_difference() -> None:
    made = [claim(name, number, BOTH) for number, name in enumerate(("site", "shop", "docs"), 1)]
    first = files(*made)
    for others in itertools.permutations(made):
        assert files(*others)[JOINED] == first[JOINED]


# -- what no two may both have ----------------------------------------------------


def test_the_same_path_of_a_domain_is_refused_with_all_three_names() -> None:
    twin = structs.replace(claim("shop"), app="twin")
    assert conflict(twin, [claim("site"), claim("shop")]) == (
        "the domain example.org is claimed by twin and by shop, with the path /shop"
    )
    root = structs.replace(claim("site"), app="root")
    assert conflict(root, [claim("shop"), claim("site")]) == (
        "the domain example.org is claimed by root and by site, with the path /"
    )


def test_the_same_path_of_a_port_is_refused() -> None:
    other = structs.replace(claim("rest"), app="other")
    assert conflict(claim("part"), [claim("rest")]) == ""
    assert conflict(other, [claim("part"), claim("rest")]) == (
        "port 18080 is claimed by other and by rest, for every host name, with the path /"
    )


def test_a_path_is_the_same_with_a_slash_at_its_end() -> None:
    mine, other = (
        structs.replace(
            claim("shop"),
            app=name,
            sites=sites(app(edge(), web(routes=[path]), domains=[BOTH])),
        )
        for name, path in (("mine", "/a"), ("other", "/a/"))
    )
    assert "with the path /a" in conflict(mine, [other])
    assert "with the path /a/" in conflict(other, [mine])


def test_whoever_has_a_domain_of_an_older_format_has_all_its_paths() -> None:
    older = Claim(app="old", release=1, domains=(BOTH,), listen={80: ("127.0.0.1:18080",)})
    assert (
        conflict(claim("shop"), [older]) == "the domain example.org is claimed by shop and by old"
    )


def test_a_certificate_brings_ports_together_that_http_keeps_apart() -> None:
    assert conflict(claim("tool"), [claim("site")]) == ""
    site, tool = claim("site", 1, BOTH), claim("tool", 2)
    assert "with the path /" in conflict(site, [agree(tool, site)])
    beside = claim("beside", 2)
    assert conflict(site, [agree(beside, site)]) == ""


NAMES = st.sampled_from(["a.test", "b.test", "*.a.test"])
PATHS = st.sampled_from(["/", "/a", "/a/", "/a/b", "/b"])


@st.composite
def claims(draw: st.DrawFn, name: str) -> Claim:
    domains = draw(st.lists(NAMES, unique=True, max_size=2))
    paths = draw(st.lists(PATHS, unique_by=lambda path: path.rstrip("/"), min_size=1, max_size=3))
    port = draw(st.sampled_from([80, 8080]))
    wanted = sites(app(web("web", port, routes=paths), domains=domains))
    secured = draw(st.lists(st.sampled_from(domains), unique=True)) if domains else []
    listen = {site.port: (f"127.0.0.1:{18000 + site.port}",) for site in wanted}
    return Claim(
        app=name, release=1, format=FORMAT, domains=tuple(domains), listen=listen, sites=wanted,
        certificates=dict.fromkeys(secured, "0a1b"), tls_port=18443,
        tls=secure(listen[port], 18443) if secured else (), backends={"web": ("10.0.0.2:8000",)},
    )  # fmt: skip


@given(claims("one"), claims("two"))
def test_a_conflict_is_one_of_both(one: Claim, two: Claim) -> None:
    two = agree(two, one)
    assert bool(conflict(one, [two])) == bool(conflict(two, [one]))
    assert agree(two, one) == two
    for domain in {*one.domains} & {*two.domains}:
        assert one.certificates.get(domain) == two.certificates.get(domain)


@given(claims("one"), claims("two"))
def test_what_is_no_conflict_is_written_with_every_location_once(one: Claim, two: Claim) -> None:
    two = agree(two, one)
    if conflict(one, [two]):
        return
    made = files(one, two)
    text = "\n".join(file.text for path, file in made.items() if path.endswith(".conf"))
    for server in text.split("\nserver {")[1:]:
        heads = [line.strip() for line in server.split("\nserver {")[0].splitlines()
                 if line.startswith("    location ")]  # fmt: skip
        assert len(heads) == len({*heads}), server
    names = shared_names((one, two))
    assert names.keys() in (set(), {"one", "two"})
    assert (JOINED in made) == bool(names)
    assert files(two, one).get(JOINED) == made.get(JOINED)


# -- what nginx makes of it ---------------------------------------------------------


@pytest.mark.programs
def test_each_apps_paths_reach_it_with_its_own_limits(tmp_path: Path) -> None:
    port, admin = free_port(), free_port()
    for name in ("docs", "site"):
        folder = tmp_path / "static" / name / "public"
        folder.mkdir(parents=True)
        (folder / "page.html").write_text(f"a page of {name}")
        (folder / ".hidden").write_text("a secret")
    with backend() as site, backend() as shop, backend() as docs:
        at = {"site": site, "shop": shop, "docs": docs}
        made = [
            claim(
                name, number, ports=port - 80, backends={"web": (at[name].address,)},
                root=str(tmp_path / "static" / name),
            )
            for number, name in enumerate(at, 1)
        ]  # fmt: skip
        made[1] = structs.replace(made[1], max_body="1k")
        host = Binding(
            listen={}, servers={}, root="/", folder=str(tmp_path / "run"),
            admin=f"127.0.0.1:{admin}", generation="7", challenges=str(tmp_path / "public"),
            user="root" if os.geteuid() == 0 else None,
        )  # fmt: skip
        with running(edge_files(made, host, {}, {}), tmp_path / "run", (port, admin)):
            assert ask(port, "/shops", Host=BOTH).text.startswith("GET /shops\n")
            got = ask(port, "/shop/cart?a=%2F", Host=BOTH)
            assert got.text.startswith("GET /cart?a=%2F\n")
            assert "X-Forwarded-Prefix: /shop\n" in got.text
            assert ask(port, "/shop", Host=BOTH).text.startswith("GET /\n")
            stream = ask(port, "/shop/events", Host=BOTH, Accept="text/event-stream")
            assert stream.text.startswith("GET /events\n")
            assert ask(port, "/search/a", Host=BOTH).text.startswith("GET /search/a\n")
            assert ask(port, "/docs/page.html", Host=BOTH).text == "a page of docs"
            assert ask(port, "/page.html", Host=BOTH).text == "a page of site"
            assert ask(port, "/docs/.hidden", Host=BOTH).status == 404
            assert ask(port, "/.hidden", Host=BOTH).status == 404
            # Patterns of one app's location say nothing of another's.
            assert ask(port, "/shop/.hidden", Host=BOTH).text.startswith("GET /.hidden\n")
            large = "x" * 3000
            assert ask(port, "/shop/a", "POST", large, Host=BOTH).status == 413
            assert ask(port, "/a", "POST", large, Host=BOTH).status == 200
            assert ask(port, "/search/a", "POST", large, Host=BOTH).status == 200
            # Names that are one app's alone are as they were.
            assert ask(port, "/shop/a", Host="www.example.org").text.startswith("GET /shop/a\n")
            assert ask(port, "/", Host="docs.example.org").status == 404
            assert ask(port, "/", Host="other.example.org").status == 421
        lines = (tmp_path / "run" / "access.log").read_text().splitlines()
        said = {(one["method"], one["uri"]): one["generation"] for one in map(json.loads, lines)
                if one["host"] == BOTH}  # fmt: skip
        assert said["GET", "/shops"] == "site 1"
        assert said["GET", "/shop/events"] == said["GET", "/shop/cart?a=%2F"] == "shop 2"
        assert said["GET", "/docs/.hidden"] == said["GET", "/search/a"] == "docs 3"
        assert said["GET", "/.hidden"] == said["POST", "/a"] == "site 1"


@pytest.mark.programs
def test_what_no_app_has_is_not_found(tmp_path: Path) -> None:
    port, admin = free_port(), free_port()
    with backend() as one:
        made = [
            claim(name, number, ports=port - 80, backends={"web": (one.address,)})
            for number, name in enumerate(("docs", "shop"), 1)
        ]
        host = Binding(
            listen={}, servers={}, root="/", folder=str(tmp_path / "run"),
            admin=f"127.0.0.1:{admin}", generation="7", user="root" if os.geteuid() == 0 else None,
        )  # fmt: skip
        with running(edge_files(made, host, {}, {}), tmp_path / "run", (port, admin)):
            assert ask(port, "/", Host=BOTH).status == 404
            assert ask(port, "/shopping", Host=BOTH).status == 404
            assert ask(port, "/shop/a", Host=BOTH).status == 200
