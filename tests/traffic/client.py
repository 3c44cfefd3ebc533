"""A load client that knows what became of each request.

`python client.py URL --mode keep|fresh|post …` sends requests until it gets SIGTERM (or stdin
closes), answers what is on its way, and then prints its totals. Until then it prints a
line of JSON ten times a second. The times that it tells are those of the monotonic clock.

The fates of a request:
    ok          2xx, and the body is the one that was asked for
    refused     no connection
    unanswered  the connection ended after the request was sent, before any answer
    cut         the connection ended within the answer
    late        no answer within 30 s
    wrong       2xx with another body
    status NNN  any other status
A connection that ends while it is idle costs no request; it is counted apart.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys
import time
from collections import Counter
from typing import Any

LATE = 30.0
SIZES = (0, 0, 0, 0, 200, 3_000, 40_000)
BODIES = (0, 0, 100, 2_000, 40_000, 300_000)


class Link(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.open = True
        self._data = bytearray()
        self._need = -1
        self._waiting: asyncio.Future[tuple[str, bytes]] | None = None
        self._status = ""
        self._head = 0
        self._close = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self, request: bytes) -> asyncio.Future[tuple[str, bytes]]:
        """Send; the future becomes ("200", body), or the name of a fate and b""."""
        assert self.transport
        self._data.clear()
        self._need = -1
        self._waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._waiting

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._need < 0:
            end = self._data.find(b"\r\n\r\n")
            if end < 0:
                return
            lines = bytes(self._data[:end]).decode("latin-1").split("\r\n")
            self._status = lines[0].split(" ")[1]
            head = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
            self._head = end + 4
            self._need = self._head + int(head.get("content-length", 0))
            self._close = head.get("connection", "") == "close"
        if len(self._data) >= self._need and self._waiting and not self._waiting.done():
            if self._close:
                self.drop()
            self._waiting.set_result((self._status, bytes(self._data[self._head : self._need])))

    def connection_lost(self, _: Exception | None) -> None:
        self.open = False
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(("cut" if self._data else "unanswered", b""))

    def drop(self) -> None:
        """Close the connection."""
        self.open = False
        if self.transport:
            self.transport.close()


class Load:
    """What is sent, and what became of it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.host, _, port = options.address.partition(":")
        self.port = int(port)
        self.fates: Counter[str] = Counter()
        self.idle_closes = 0
        self.seen: dict[str, dict[str, Any]] = {}
        self.lost: list[dict[str, Any]] = []
        self.unacknowledged: list[str] = []
        self.answered_at = 0.0
        self.longest_gap = 0.0
        self.latencies: list[tuple[float, float]] = []  # when each good one began, seconds
        self.stopping = False
        self.sent = 0
        self._random = random.Random(7)  # sizes of bodies

    def request(self) -> tuple[bytes, str]:
        """The next request and the token that its answer must carry."""
        self.sent += 1
        token = f"{self.options.name}-{self.sent}"
        close = "Connection: close\r\n" if self.options.mode == "fresh" else ""
        head = f"Host: {self.options.address}\r\n{close}"
        path = self.options.path
        if self.options.mode == "post":
            body = f"{token}\n".encode() + b"." * self._random.choice(BODIES)
            text = f"POST {path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n"
            return text.encode() + body, token
        size = self._random.choice(SIZES)
        return f"GET {path}?t={token}&n={size} HTTP/1.1\r\n{head}\r\n".encode(), token

    async def work(self, number: int) -> None:
        """One connection slot: ask, and ask again."""
        loop = asyncio.get_running_loop()
        link: Link | None = None
        pause = self.options.think
        if self.options.rate:
            pause = self.options.connections / self.options.rate
        due = loop.time() + pause * number / self.options.connections
        while not self.stopping:
            if pause:
                due = max(due + pause, loop.time())
                await asyncio.sleep(due - loop.time())
            if not self.stopping:
                link = await self.ask(link)
        if link:
            link.drop()

    async def ask(self, link: Link | None) -> Link | None:
        """Send one request, on a new connection where the last is not open; settle it."""
        request, token = self.request()
        began = time.monotonic()
        if link is not None and not link.open:
            self.idle_closes += 1
            link = None
        if link is None:
            loop = asyncio.get_running_loop()
            try:
                _, link = await loop.create_connection(Link, self.host, self.port)
            except OSError:
                self.settle("refused", token, began)
                await asyncio.sleep(0.02)
                return None
        try:
            async with asyncio.timeout(LATE):
                status, body = await link.send(request)
        except TimeoutError:
            status, body = "late", b""
            link.drop()
        self.settle(self.judge(status, body, token), token, began)
        if link.open and self.options.mode != "fresh":
            return link
        link.drop()
        return None

    def judge(self, status: str, body: bytes, token: str) -> str:
        """The fate that an answer means."""
        if not status.isdigit():
            return status
        if status[0] != "2":
            return f"status {status}"
        words = body.split()
        if len(words) < 3 or words[0] != words[-1] or words[1] != token.encode():
            return "wrong"
        now = time.monotonic()
        version = self.seen.setdefault(words[0].decode(), {"first": now, "last": now, "count": 0})
        version["last"] = now
        version["count"] += 1
        return "ok"

    def settle(self, fate: str, token: str, began: float) -> None:
        """Count a request whose fate is known."""
        self.fates[fate] += 1
        now = time.monotonic()
        if fate == "ok":
            if self.answered_at:
                self.longest_gap = max(self.longest_gap, now - self.answered_at)
            self.answered_at = now
            self.latencies.append((round(began, 3), round(now - began, 5)))
            return
        self.unacknowledged.append(token)
        if len(self.lost) < 50:
            self.lost.append({"at": began, "after": now - began, "token": token, "fate": fate})

    def report(self) -> dict[str, Any]:
        """What is known so far."""
        return {
            "at": time.monotonic(),
            "fates": dict(self.fates),
            "versions": self.seen,
            "idle_closes": self.idle_closes,
            "longest_gap": self.longest_gap,
        }


async def run(options: argparse.Namespace) -> None:
    """Send until told to stop, and print the totals."""
    load = Load(options)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        load.stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_reader(0, lambda: sys.stdin.buffer.raw.read(1) or stop())  # type: ignore[attr-defined]  # a raw file
    workers = [asyncio.create_task(load.work(n)) for n in range(options.connections)]
    gathered = asyncio.gather(*workers)
    while not gathered.done():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(gathered), 0.1)
        tell(load.report())
    await gathered
    final = load.report() | {"final": True, "lost": load.lost, "sent": load.sent}
    tell(final | {"unacknowledged": load.unacknowledged, "latencies": load.latencies})


def tell(report: dict[str, Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address", help="HOST:PORT")
    parser.add_argument("--mode", choices=("keep", "fresh", "post"), default="keep")
    parser.add_argument("--path", default="/")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0.0, help="requests per second in all")
    parser.add_argument("--think", type=float, default=0.0, help="seconds between two requests")
    parser.add_argument("--name", default="r", help="beginning of the tokens")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
