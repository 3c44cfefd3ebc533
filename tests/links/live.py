"""The new project at work behind nginx, and people who use it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cli.running import Project, until

PASSWORD = "correct horse"
FULL = os.environ.get("GEAR_LINKS") == "full"  # ten times as much of everything


class Live(Project):
    """`gear new`, then `gear up`."""

    def ready(self, service: str) -> list[dict[str, Any]]:
        """The instances of a service that work."""
        return [
            i for i in self.instances() if i["service"] == service and i["state"] == "ready"
        ]  # fmt: skip

    def pid(self, service: str) -> int:
        """The main process of a service, once one works."""
        return int(until(lambda: [i["pid"] for i in self.ready(service)], f"{service} works")[0])

    def addresses(self, service: str) -> list[tuple[str, int]]:
        """Where the instances of a service answer, without nginx."""
        return [(i["address"], i["port"]) for i in self.ready(service)]

    def sql(self, query: str) -> str:
        """What PostgreSQL's superuser gets."""
        return self.gear("db", "shell", "--as", "superuser", "-XAtc", query).out.strip()

    def redis(self, *words: str) -> str:
        return self.gear("redis", "shell", *words).out.strip()

    def metric(self, name: str) -> float:
        """A number of `/metrics`, summed over all backends."""
        total = 0.0
        for address, port in self.addresses("backend"):
            link = http.client.HTTPConnection(address, port, timeout=10)
            link.request("GET", "/metrics")
            text = link.getresponse().read().decode()
            link.close()
            total += sum(float(n) for n in re.findall(rf"^{re.escape(name)} (\S+)$", text, re.M))
        return total

    def somebody(self) -> Person:
        """A new account, logged in."""
        person = Person("127.0.0.1", self.port)
        person.sign_up()
        return person


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """What a refusal says; it has the right form, or this fails."""
        assert self.headers["content-type"] == "application/problem+json", self
        found = self.json()
        assert found["status"] == self.status
        errors = [one["why"] for one in found.get("errors", [])]
        return " ".join([found["title"], found.get("detail", ""), *errors])


@dataclass
class Person:
    """Somebody with a browser, or a program."""

    host: str
    port: int
    name: str = ""
    cookie: str = ""
    csrf: str = ""
    more: dict[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, sent: object = None, body: bytes | None = None, **more: str
    ) -> Answer:
        """One request over a connection of its own."""
        headers = {"X-CSRF-Token": self.csrf, "Cookie": f"session={self.cookie}"}
        headers |= self.more | more
        if sent is not None:
            body = json.dumps(sent).encode()
        if body is not None:
            headers["Content-Type"] = "application/json"
        link = http.client.HTTPConnection(self.host, self.port, timeout=20)
        try:
            # A server that has heard enough answers, and closes before everything is sent.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                link.request(method, path, body, headers)
            answer = link.getresponse()
            found = {key.lower(): value for key, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            link.close()

    def get(self, path: str, **more: str) -> Answer:
        return self.ask("GET", path, **more)

    def sign_up(self) -> None:
        self.name = "t-" + secrets.token_hex(8)
        sent = {"name": self.name, "password": PASSWORD}
        # nginx lets an address do this some twenty times a minute.
        answer = until(
            lambda: (a := self.ask("POST", "/api/accounts", sent)).status != 429 and a, "a place"
        )
        assert answer.status == 201, answer
        self.csrf = answer.json()["csrf"]
        self.cookie = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]

    def link(self, url: str = "https://example.com/", **more: str) -> str:
        """Make a link; its slug."""
        answer = self.ask("POST", "/api/links", {"url": url, **more})
        assert answer.status == 201, answer
        return str(answer.json()["slug"])

    def clicks(self, slug: str) -> int:
        answer = self.get(f"/api/links/{slug}")
        return int(answer.json()["clicks"]) if answer.status == 200 else -1


class Crowd:
    """Visitors who follow links as fast as they are answered, over connections that stay open."""

    def __init__(self, port: int, slugs: list[str], visitors: int = 32) -> None:
        self._port = port
        self._slugs = slugs
        self._visitors = visitors
        self.answered: Counter[str] = Counter()  # slug -> redirects that arrived
        self.failed: Counter[str] = Counter()  # slug -> asked for, and not answered by a redirect
        self.said: Counter[str] = Counter()
        self.slowest = 0.0

    @property
    def total(self) -> int:
        return self.answered.total()

    def go(self, clicks: int, meanwhile: Callable[[], None] | None = None) -> None:
        """Follow links until so many redirects have arrived and `meanwhile` has ended."""
        asyncio.run(self._go(clicks, meanwhile))

    async def _go(self, clicks: int, meanwhile: Callable[[], None] | None) -> None:
        goal = self.total + clicks
        done = asyncio.Event()
        people = [asyncio.create_task(self._visit(n, goal, done)) for n in range(self._visitors)]
        try:
            if meanwhile:
                await asyncio.to_thread(meanwhile)
        finally:
            done.set()
            await asyncio.gather(*people)

    async def _visit(self, number: int, goal: int, done: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while self.total < goal or not done.is_set():
            slug = self._slugs[number % len(self._slugs)]
            number += 1
            began = loop.time()
            try:
                link = link or await asyncio.open_connection("127.0.0.1", self._port)
                link[1].write(f"GET /l/{slug} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                head = await asyncio.wait_for(link[0].readuntil(b"\r\n\r\n"), 30)
                length = re.search(rb"(?i)content-length: (\d+)", head)
                await link[0].readexactly(int(length[1]) if length else 0)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.failed[slug] += 1
                self.said[repr(error)] += 1
                if link:
                    link[1].close()
                link = None
                continue
            self.slowest = max(self.slowest, loop.time() - began)
            if re.search(rb"(?i)\r\nconnection: close\r", head):
                link[1].close()
                link = None
            if head.startswith(b"HTTP/1.1 302"):
                self.answered[slug] += 1
                continue
            self.failed[slug] += 1
            self.said[head.partition(b"\r\n")[0].decode()] += 1
            await asyncio.sleep(0.02)
        if link:
            link[1].close()


def edit(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert text.count(old) == 1, (name, old)
    (folder / name).write_text(text.replace(old, new))
