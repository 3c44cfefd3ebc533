"""Apps that share a domain, each at paths of its own: pushed, released and destroyed apart."""

from __future__ import annotations

import base64
import contextlib
import http.client
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from geartrain.engine.docker.host import DockerHost
from tests.engine.docker.hosts import clean
from tests.ports import free_port
from tests.server.pushing import Clone, HostFolder, clone_of, own_name
from tests.server.tls.asking import http_, https, serial
from tests.server.tls.asking import load as load_https
from tests.server.tls.pem import Authority

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(900),
]
DOMAIN, OTHER = "both.gear.test", "www.both.gear.test"
KEY = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"  # what every public key of this type begins with


@dataclass
class Host:
    """A host with Docker, and the apps that a test makes on it, which share a port."""

    host: HostFolder
    place: Path
    port: int
    made: list[Clone] = field(default_factory=list)

    def app(self, name: str, *paths: str, domains: str = DOMAIN, more: str = "") -> Clone:
        """A clone with an app that answers at these paths, not pushed yet."""
        one = clone_of(self.host, own_name(name), self.place)
        self.made.append(one)
        self.host.gear("app", "env", one.app, f"EDGE_PORT={self.port}")
        one.port = self.port
        self.routes(one, *paths, domains=domains, more=more)
        one.version(name)
        return one

    @staticmethod
    def routes(one: Clone, *paths: str, domains: str = DOMAIN, more: str = "") -> None:
        """Give an app other paths; whatever is below them, it sees without them."""
        routes = ", ".join(f"{{path: {path}, strip: true}}" for path in paths)
        text = one.git("show", "HEAD~0:docker-compose.yml").out
        text = text[text.index("services:") :].partition("      routes:")[0].rstrip()
        head = f"x-gear: {{domains: [{domains}]{more}}}\n"
        one.write("docker-compose.yml", f"{head}{text}\n      routes: [{routes}]\n")
        one.commit("routes")

    def get(self, path: str = "/", name: str = DOMAIN) -> tuple[int, str]:
        return http_(self.port, name, path)[:2]

    def destroy(self, one: Clone) -> None:
        self.host.gear("destroy", one.app, "--data", "--yes")
        self.made.remove(one)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    folder = HostFolder(tmp_path / "host")
    folder.gear("host", "init", "--engine", "docker")
    folder.gear("tls", "settings", "--port", str(free_port()))
    made = Host(folder, tmp_path, free_port())
    try:
        yield made
    finally:
        for one in made.made:
            folder.gear("destroy", one.app, "--data", "--yes", code=None)
        clean(DockerHost(folder.folder))


@dataclass
class Seen:
    """What came of requests over kept connections."""

    answered: int = 0
    lost: list[str] = field(default_factory=list)


@contextlib.contextmanager
def load(port: int, path: str, clients: int = 2) -> Iterator[Seen]:
    """Ask for a page without pause while the block runs; a lost one has another status than 200."""
    seen, stop, turn = Seen(), threading.Event(), threading.Lock()

    def ask() -> None:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while not stop.is_set():
            try:
                link.request("GET", path, headers={"Host": DOMAIN})
                answer = link.getresponse()
                body = answer.read().decode()
                fine = answer.status == 200 and body.startswith("hello ")
                wrong = "" if fine else f"{answer.status} {body[:80]}"
            except (OSError, http.client.HTTPException) as error:
                link.close()
                wrong = repr(error)
            with turn:
                seen.answered += not wrong
                seen.lost += [wrong] if wrong else []
        link.close()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for one in threads:
        one.start()
    try:
        yield seen
    finally:
        stop.set()
        for one in threads:
            one.join()
    sys.stderr.write(f"\n{path}: {seen.answered} answered, {len(seen.lost)} lost\n")


def settled(*apps: Clone) -> None:
    for one in apps:
        assert one.gear("converge", "--json").json()[0]["steps"] == []


def test_two_apps_live_on_one_domain(host: Host) -> None:
    shop = host.app("shop", "/shop")
    said = shop.push().err
    assert f"live at http://{DOMAIN}:{host.port}/shop" in said
    assert host.get("/shop/") == (200, "hello shop\n")
    assert host.get()[0] == 404
    assert "nginx" in host.get("/elsewhere")[1]

    site = host.app("site", "/", domains=f"{DOMAIN}, {OTHER}")
    with load(host.port, "/shop/") as beside:
        site.push()
    assert beside.lost == []
    assert host.get() == (200, "hello site\n")
    assert host.get("/shop/") == (200, "hello shop\n")
    # What answers without a domain of its own in common is as it was.
    assert host.get("/shop/", OTHER) == (404, "not found\n")
    settled(shop, site)

    with load(host.port, "/") as at_site, load(host.port, "/shop/") as at_shop:
        shop.version("shop 2")
        shop.push()
        assert host.get("/shop/") == (200, "hello shop 2\n")
        shop.gear("scale", "web=2")
        site.version("site 2")
        site.push()
        shop.gear("rollback")
        assert host.get("/shop/") == (200, "hello shop\n")
        shop.gear("scale", "web=1")
        site.gear("rollback")
        assert host.get() == (200, "hello site\n")
        # Both at once.
        for one in (shop, site):
            one.version(f"{one.app} 3")
        pushes = [one.start("live", "main") for one in (shop, site)]
        outs = [push.communicate(timeout=240)[0] for push in pushes]
        assert [push.returncode for push in pushes] == [0, 0], outs
        assert host.get("/shop/") == (200, f"hello {shop.app} 3\n")
        assert host.get() == (200, f"hello {site.app} 3\n")
    assert at_site.lost == at_shop.lost == []
    assert min(at_site.answered, at_shop.answered) > 200
    settled(shop, site)

    third = host.app("third", "/more", "/shop/")
    said = third.refused()
    assert f"x-gear.domains: {DOMAIN} is the app {shop.app}'s, with the path /shop" in said
    assert site.app not in said
    assert host.get("/more/")[0] == 404
    host.destroy(third)

    with load(host.port, "/") as beside:
        host.destroy(shop)
        # From then on it is the other app's again, which has no such page.
        assert host.get("/shop/") == (404, "not found\n")
    assert beside.lost == []
    settled(site)

    again = host.app("again", "/shop", "/cart")
    again.push()
    assert host.get("/shop/") == host.get("/cart/") == (200, "hello again\n")
    host.routes(again, "/cart")
    again.push()
    assert host.get("/shop/") == (404, "not found\n")
    assert host.get("/cart/") == (200, "hello again\n")
    # The release before has a path that another app takes meanwhile: it does not come back.
    taker = host.app("taker", "/shop")
    taker.push()
    said = again.gear("rollback", code=None)
    assert said.code != 0
    assert f"is claimed by {again.app} and by {taker.app}, with the path /shop" in said.err
    assert host.get("/shop/") == (200, "hello taker\n")
    assert host.get("/cart/") == (200, "hello again\n")
    host.destroy(site)
    assert "nginx" in host.get()[1]
    assert host.get("/cart/") == (200, "hello again\n")


def test_who_wants_the_same_path_at_once_is_one_too_many(host: Host) -> None:
    one, two = (host.app(name, f"/{name}", "/same") for name in ("one", "two"))
    pushes = [app.start("live", "main") for app in (one, two)]
    outs = [push.communicate(timeout=240)[0] for push in pushes]
    assert sorted(push.returncode for push in pushes) == [0, 1], outs
    won, lost = (one, two) if pushes[0].returncode == 0 else (two, one)
    said = outs[pushes.index(next(push for push in pushes if push.returncode))]
    assert "with the path /same" in said
    sys.stderr.write(said)
    assert host.get("/same/")[0] == 200
    assert host.get(f"/{'one' if won is one else 'two'}/")[0] == 200
    assert lost.remote() == ""
    host.routes(lost, "/other")
    lost.push()
    assert host.get("/other/")[0] == host.get("/same/")[0] == 200


@pytest.mark.parametrize("domains", [DOMAIN, ""], ids=["domain", "port"])
def test_a_key_joins_no_app_that_it_is_not_for(host: Host, domains: str) -> None:
    site, shop = (host.app(name, path, domains=domains) for name, path in
                  (("site", "/"), ("shop", "/shop")))  # fmt: skip
    site.push()
    for name, app in (("bob", shop), ("eve", site)):
        public = f"ssh-ed25519 {base64.b64encode(KEY + (name * 11).encode()[:32]).decode()}\n"
        host.host.gear("keys", "add", name, "--role", "deploy", "--app", app.app, stdin=public)
    bob, eve = {"GEAR_USER": "bob"}, {"GEAR_USER": "eve"}
    said = shop.refused(env=bob)
    assert "the key bob is not for the apps that this one would share a domain with" in said
    assert f"{domains or f'port {host.port}'} is the app {site.app}'s" in said
    assert host.get("/shop/") == (404, "not found\n")

    shop.push()  # by the host's owner
    assert host.get("/shop/") == (200, "hello shop\n")
    for one, who in ((shop, bob), (site, eve)):
        one.version(f"{one.app} 2")
        one.push(env=who)
    assert host.get("/shop/") == (200, f"hello {shop.app} 2\n")
    assert host.get() == (200, f"hello {site.app} 2\n")


def test_a_certificate_is_for_all_apps_of_its_domain(host: Host) -> None:
    ca = Authority(host.place)
    secure = int(host.host.gear("tls", "settings", "--json").json()["port"])
    site = host.app("site", "/", domains=f"{DOMAIN}, {OTHER}", more=", hsts: 1h")
    shop = host.app("shop", "/shop", more=", hsts: 2h")
    site.push()
    shop.push()
    pair = ca.give(DOMAIN, OTHER)
    with load_https_later(host, secure, ca):
        done = host.host.gear("tls", "set", DOMAIN, "--cert", pair.cert, "--key", pair.key)
    assert f"{shop.app}" in done.out
    assert f"{site.app}" in done.out
    for path, text in (("/", "hello site\n"), ("/shop/", "hello shop\n")):
        status, body, headers = https(secure, DOMAIN, ca.file, path)
        assert (status, body) == (200, text)
        assert headers["Strict-Transport-Security"] == "max-age=7200"
        status, _, headers = http_(host.port, DOMAIN, path)
        assert (status, headers["Location"]) == (308, f"https://{DOMAIN}:{secure}{path}")
    assert host.get("/", OTHER) == (200, "hello site\n")
    settled(site, shop)
    rows = {one["domain"]: one for one in host.host.gear("tls", "list", "--json").json()}
    assert {*rows[DOMAIN]["app"].split(", ")} == {site.app, shop.app}

    with load_https(secure, DOMAIN, ca.file) as at_site:
        shop.version("shop 2")
        shop.push()
        second = ca.give(DOMAIN, OTHER)
        for name in (DOMAIN, OTHER):
            host.host.gear("tls", "set", name, "--cert", second.cert, "--key", second.key)
    assert at_site.lost == []
    assert serial(secure, DOMAIN) == second.serial
    assert https(secure, DOMAIN, ca.file, "/shop/")[1] == "hello shop 2\n"
    settled(site, shop)
    # An authority's questions are answered once, whoever's the path is.
    asked = host.host.folder / "edge" / "tls" / "public" / ".well-known" / "acme-challenge"
    asked.mkdir(parents=True, exist_ok=True)
    (asked / "token").write_text("token.print")
    assert host.get("/.well-known/acme-challenge/token") == (200, "token.print")

    # One that comes later is on https at once.
    late = host.app("late", "/late")
    late.push()
    assert https(secure, DOMAIN, ca.file, "/late/")[1] == "hello late\n"
    host.destroy(site)
    assert https(secure, DOMAIN, ca.file, "/")[0] == 404
    assert https(secure, DOMAIN, ca.file, "/shop/")[1] == "hello shop 2\n"
    host.host.gear("tls", "remove", DOMAIN)
    assert host.get("/shop/") == (200, "hello shop 2\n")
    assert host.get("/late/") == (200, "hello late\n")
    settled(shop, late)


@contextlib.contextmanager
def load_https_later(host: Host, secure: int, ca: Authority) -> Iterator[None]:
    """See that no path of the domain is on https before the others, or sent there in vain."""
    wrong: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            status, body, headers = http_(host.port, DOMAIN, "/shop/")
            if status == 308:
                with contextlib.suppress(OSError):
                    status, body, headers = https(secure, DOMAIN, ca.file, "/shop/")
            if (status, body) != (200, "hello shop\n"):
                wrong.append(f"{status} {body[:80]} {headers}")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert wrong == []
