"""A real server on a real PostgreSQL and Redis: `gear check` brings all of them."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx
import pytest
import uvicorn

BACKEND = Path(__file__).parents[1]
sys.path.insert(0, str(BACKEND))
T = TypeVar("T")


def until(condition: Callable[[], T], what: str, patience: float = 20.0) -> T:
    """Wait for a condition and return what it returned."""
    end = time.monotonic() + patience
    while not (seen := condition()):
        assert time.monotonic() < end, f"not within {patience:g} s: {what}"
        time.sleep(0.02)
    return seen


class Client(httpx.Client):
    """A browser, as far as the API sees it."""

    csrf = ""

    def sign_up(self) -> str:
        """Make an account with a name of its own, and log in."""
        name = "t-" + secrets.token_hex(8)
        answer = self.post("/api/accounts", json={"name": name, "password": "correct horse"})
        assert answer.status_code == 201, answer.text
        self.csrf = answer.json()["csrf"]
        return name

    def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
        if self.csrf and request.method != "GET":
            request.headers.setdefault("X-CSRF-Token", self.csrf)
        return super().send(request, **how)

    def make_link(self, url: str = "https://example.com/", **more: str) -> dict[str, Any]:
        answer = self.post("/api/links", json={"url": url, **more})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where the app answers."""
    from app.web import app

    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, "the server has started")
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def new_client(address: str) -> Iterator[Callable[[], Client]]:
    made: list[Client] = []

    def make() -> Client:
        made.append(Client(base_url=address, timeout=10))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(new_client: Callable[[], Client]) -> Client:
    """Somebody who is logged in."""
    client = new_client()
    client.sign_up()
    return client


@pytest.fixture(scope="session")
def worker() -> Iterator[None]:
    """The worker, in a process of its own."""
    running = subprocess.Popen([sys.executable, "-m", "app.worker"], cwd=BACKEND)
    yield
    running.terminate()
    assert running.wait(20) == 0


@pytest.fixture
def sql() -> Callable[[Callable[[asyncpg.Connection], Awaitable[Any]]], Any]:
    """Run something on the database."""

    def run(work: Callable[[asyncpg.Connection], Awaitable[Any]]) -> Any:
        async def connected() -> Any:
            connection = await asyncpg.connect(os.environ["DATABASE_URL"])
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(connected())

    return run
