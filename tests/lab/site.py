"""A server, bare at first, and an app on it that counts rows: from nothing to https.

What a test needs to see of it afterwards is asked over SSH or by HTTP.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from tests.cli.running import until
from tests.lab.acme import NAME as AUTHORITY
from tests.lab.acme import Acme
from tests.lab.laptop import HOST, Clone, Laptop
from tests.lab.server import Server
from tests.lab.table import Table
from tests.server.tls.asking import connect

APP = "shop"
DOMAIN = "shop.gear.test"


class Site:
    """A server with one app.

    Args:
        image: the machine's.
        laptop: whose server it is.
        authority: whom certificates are asked of.
        images: what its Docker gets in place of a registry.
    """

    def __init__(self, image: str, laptop: Laptop, authority: Acme, images: Sequence[str]) -> None:
        self.laptop = laptop
        self.authority = authority
        self.table = Table("from a bare machine to https", "seconds")
        self.said: dict[str, str] = {}
        self._images = images
        self.server = Server(image, laptop.public, {AUTHORITY: "host-gateway"})
        self.address = ""
        self._versions = 0

    def bring_up(self) -> None:
        """Do what docs/server.md says, step by step; what each said is kept."""
        laptop, timed = self.laptop, self.table.timed
        with timed("the machine boots"):
            self.on()
            assert self.server.is_up() == "running"
        target = f"root@{HOST}"
        self.said["bare"] = laptop.local("server", "prepare", "--check", target, code=4).out
        with timed("gear server prepare"):
            self.said["prepared"] = laptop.local("server", "prepare", target).said
        with timed("gear server prepare, again"):
            self.said["again"] = laptop.local("server", "prepare", target).out
        self.said["checked"] = laptop.local("server", "prepare", "--check", target).out
        with timed("images, in place of a registry"):
            self.server.load(self._images)
        with timed("a key, an app, settings of TLS"):
            laptop.gear("keys", "add", "alice", "--role", "admin", user="root",
                        stdin=laptop.public.read_text())  # fmt: skip
            self.said["created"] = laptop.gear("app", "create", APP).out
            self._trust()
            laptop.gear("tls", "settings", "--acme", "--email", "ops@gear.test", "--directory",
                        self.authority.directory, "--ca-file", "/etc/ssl/pebble.pem",
                        user="root")  # fmt: skip
        self.clone = Clone(laptop, APP, Path(__file__).parent / "shop")
        self.clone.commit("first")
        began = time.monotonic()
        with timed("git push: live"):
            self.said["pushed"] = self.clone.push().err
        until(lambda: self.get()[0] == 200, "it answers on https")
        self.table.add("from the push to https", time.monotonic() - began)
        self.table.show()

    def _trust(self) -> None:
        """Give the server the authority's own certificate, as a company's administrator does."""
        pem = self.authority.authority.read_text()
        self.laptop.root("cat > /etc/ssl/pebble.pem", stdin=pem)

    def on(self) -> None:
        """After each boot: where the machine is now, for the laptop and for the authority."""
        self.address = self.server.address
        self.laptop.know(self.server)
        self.authority.lead(self.address)
        until(self._ssh_answers, "sshd answers")

    def _ssh_answers(self) -> bool:
        try:
            with socket.create_connection((self.address, 22), timeout=2) as link:
                return link.recv(4) == b"SSH-"
        except OSError:
            return False

    def ask(
        self, method: str = "GET", path: str = "/", body: str | None = None, patience: float = 10
    ) -> tuple[int, str]:
        """One request over https, with the certificate verified."""
        link = connect(443, DOMAIN, self.authority.root, self.address, patience)
        with contextlib.closing(link):
            link.request(method, path, body)
            answer = link.getresponse()
            return answer.status, answer.read().decode()

    def get(self, path: str = "/") -> tuple[int, str]:
        """Status and body; 0 and why while nobody answers."""
        try:
            return self.ask("GET", path)
        except (OSError, http.client.HTTPException) as error:
            return 0, repr(error)

    def add_row(self, text: str) -> bool:
        """Store a row; True when that was acknowledged."""
        try:
            return self.ask("POST", "/rows", text)[0] == 201
        except (OSError, http.client.HTTPException):
            return False

    def rows(self) -> list[str]:
        """What the database has, in its order."""
        query = "COPY (SELECT text FROM entries ORDER BY id) TO STDOUT;\n"
        return self.laptop.gear("db", "shell", "--app", APP, stdin=query).out.splitlines()

    def new_version(self) -> str:
        """A change of one line, committed; the commit."""
        self._versions += 1
        return self.clone.change("backend/version.py", f"VERSION = {self._versions}\n")

    def commit_of(self, release: int) -> str:
        """The commit that a release was made of."""
        ref = f"refs/gear/releases/{release}"
        return self.clone.git("ls-remote", "live", ref).out.partition("\t")[0]

    def running(self) -> list[str]:
        """`SERVICE RELEASE` of each container that runs, as the server's Docker tells root."""
        shown = " ".join(f'{{{{.Label "geartrain.{name}"}}}}' for name in ("service", "release"))
        out = self.laptop.root(f"docker ps --format '{shown}'", code=None).out
        return sorted(line.strip() for line in out.splitlines())

    def settled(self) -> int:
        """Wait until what the history calls live runs and answers, and nothing else; its number."""

        def whole() -> int:
            done = self.laptop.gear("status", "--json", code=None)
            apps = {one["app"]: one for one in done.json()} if done.code == 0 else {}
            seen = apps.get(APP, {"state": ""})
            live = int(seen.get("live") or 0)
            if seen["state"] != "ok" or self.get("/release") != (200, f'{{"release": {live}}}\n'):
                return 0
            backends = [one for one in self.running() if one.startswith("backend")]
            return live if backends == [f"backend {live}"] else 0

        return until(whole, "one release runs, the one that is live", 120)
