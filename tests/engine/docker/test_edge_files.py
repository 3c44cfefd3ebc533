"""A generation of the edge is written from what all apps claim, whoever it is for."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from geartrain.app.policy import AppPolicy, ServicePolicy
from geartrain.app.routes import sites
from geartrain.engine.docker import edge
from geartrain.engine.docker.host import DockerHost
from geartrain.render.nginx.claims import FORMAT, Claim, secure
from geartrain.testing.apps import app, web


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerHost:
    made = DockerHost(tmp_path / "host")
    made.create()
    monkeypatch.setattr(edge, "_hybrid", lambda _: True)
    return made


def claim(name: str, path: str, *domains: str, mark: str = "") -> Claim:
    policy = AppPolicy(domains=list(domains))
    made = replace(app(web(gear=ServicePolicy(routes=[path]))), policy=policy)
    wanted = sites(made)
    listen = {site.port: (f"0.0.0.0:{site.port}",) for site in wanted}
    return Claim(
        app=name, release=1, format=FORMAT, domains=domains, listen=listen, sites=wanted,
        backends={"web": ("10.0.0.2:8000",)}, certificates=dict.fromkeys(domains, mark or "0a1b"),
        tls=secure(listen[wanted[0].port], 443),
    )  # fmt: skip


def plain(name: str, path: str, *domains: str) -> Claim:
    return replace(claim(name, path, *domains), certificates={}, tls=())


def release(host: DockerHost, made: Claim | None, name: str = "") -> Path:
    """The folder of the generation that is current then."""
    edge.point(host, edge.prepare(host, made.app if made else name, made))
    return host.edge / "current"


def test_what_another_version_wrote_is_written_anew_with_any_release(host: DockerHost) -> None:
    release(host, plain("blog", "/", "blog.test"))
    now = release(host, plain("shop", "/", "shop.test"))
    written = (now / "apps" / "blog.conf").read_text()
    (now / "apps" / "blog.conf").write_text("# otherwise\n")
    now = release(host, replace(plain("shop", "/", "shop.test"), release=2))
    assert (now / "apps" / "blog.conf").read_text() == written


def test_what_cannot_be_written_anew_stays_as_it_is(host: DockerHost) -> None:
    now = release(host, plain("blog", "/", "blog.test"))
    known = edge.claims(host)["blog"]
    (now / "apps" / "blog.conf").write_text("# otherwise\n")
    older = replace(known, format=0, sites=(), backends={})
    (now / "apps" / "blog.json").write_bytes(msgspec.json.encode(older))
    now = release(host, plain("shop", "/", "shop.test"))
    assert (now / "apps" / "blog.conf").read_text() == "# otherwise\n"
    assert {name: one.format for name, one in edge.claims(host).items()} == {
        "blog": 0, "shop": FORMAT,
    }  # fmt: skip


def test_a_certificate_comes_and_goes_for_all_apps_of_its_domain(host: DockerHost) -> None:
    release(host, plain("site", "/", "both.test", "site.test"))
    now = release(host, plain("more", "/more", "both.test"))
    assert "ssl" not in (now / "shared.conf").read_text()
    now = release(host, claim("more", "/more", "both.test"))
    site = edge.claims(host)["site"]
    assert site.certificates == {"both.test": "0a1b"}
    assert site.tls == ("0.0.0.0:443",)
    shared = (now / "shared.conf").read_text()
    assert shared.count("listen 0.0.0.0:443 ssl;") == 1
    assert "proxy_pass http://site.web;" in shared
    assert "ssl" not in (now / "apps" / "site.conf").read_text()

    release(host, claim("more", "/more", "both.test", mark="2c3d"))
    assert edge.claims(host)["site"].certificates == {"both.test": "2c3d"}
    now = release(host, plain("more", "/more", "both.test"))
    assert edge.claims(host)["site"].tls == ()
    assert "ssl" not in (now / "shared.conf").read_text()


def test_the_last_one_has_its_names_to_itself_again(host: DockerHost) -> None:
    alone = release(host, plain("site", "/", "both.test"))
    before = (alone / "apps" / "site.conf").read_text()
    assert (release(host, plain("more", "/more", "both.test")) / "shared.conf").exists()
    now = release(host, None, "more")
    assert not (now / "shared.conf").exists()
    assert (now / "apps" / "site.conf").read_text() == before


def test_the_disk_has_a_generation_before_it_is_chosen(
    host: DockerHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    real = os.fsync

    def note(fd: int) -> None:
        synced.add(os.fstat(fd).st_ino)
        real(fd)

    monkeypatch.setattr(os, "fsync", note)
    made = host.edge / edge.prepare(host, "blog", plain("blog", "/", "blog.test"))
    assert {one.name for one in made.rglob("*") if one.stat().st_ino not in synced} == set()


def test_claims_are_of_one_generation_whoever_switches_meanwhile(
    host: DockerHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(host, plain("blog", "/", "blog.test"))
    release(host, plain("shop", "/", "shop.test"))
    real = Path.read_bytes

    def read(path: Path) -> bytes:
        monkeypatch.undo()
        monkeypatch.setattr(edge, "_hybrid", lambda _: True)
        release(host, None, "shop")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    assert set(edge.claims(host)) == {"blog", "shop"}
    assert set(edge.claims(host)) == {"blog"}
