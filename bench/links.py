"""The new project through nginx: redirects that are remembered, and those that are not."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure
from bench.project import ENVIRONMENT, GEAR, Project, free_port, run, wait_for

SECONDS = 3
COLD = 300_000  # links that nobody has asked for yet; a round takes some thousands of them
SECOND_ROUND = COLD // 20
HELLO = '''\
"""A bare hello: FastAPI as it comes, and plain ASGI."""

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI()


@app.get("/hello/fastapi")
async def hello() -> PlainTextResponse:
    return PlainTextResponse("hello\\n")


@app.get("/ready")
async def ready() -> PlainTextResponse:
    return PlainTextResponse("ok\\n")


async def plain(scope, receive, send):
    if scope["type"] != "http" or scope["path"] != "/hello/asgi":
        await app(scope, receive, send)
        return
    headers = [(b"content-length", b"6"), (b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello\\n"})
'''
SERVICE = """\
  hello:
    build: *backend
    command: uvicorn app.hello:plain --host 0.0.0.0 --port 8080 --no-access-log --no-server-header
    x-gear: { role: web, health: /ready, port: 8080 }

  postgres:
"""
LOCATION = """\
        location /hello/ {
            proxy_pass http://hello:8080;
        }

        location /l/ {
"""
FILL = """
INSERT INTO accounts (name, password) VALUES ('bench', '$argon2id$none');
INSERT INTO links (account_id, slug, url)
SELECT (SELECT id FROM accounts WHERE name = 'bench'), 'cold-' || n, 'https://example.com/' || n
FROM generate_series(1, {cold}) n;
INSERT INTO links (account_id, slug, url)
SELECT id, 'warm', 'https://example.com/' FROM accounts WHERE name = 'bench';
ANALYZE;
"""
ASK_NEW = """\
local n = {first}
request = function()
    n = n + 1
    return wrk.format("GET", "/l/cold-" .. n)
end
"""


def measure(runs: int) -> Iterator[Figure]:
    """`wrk` with 64 connections, one way after the other in each round."""
    if not shutil.which("wrk"):
        raise SystemExit("this part needs wrk: apt-get install wrk")
    rates: dict[str, list[float]] = {}
    slow: dict[str, list[float]] = {}
    with new_project() as made, tempfile.TemporaryDirectory() as place:
        script = Path(place) / "cold.lua"
        for number in range(min(runs, COLD // SECOND_ROUND) + 1):
            script.write_text(ASK_NEW.format(first=number * SECOND_ROUND))
            for name, path, more in (
                ("remembered", "/l/warm", ()),
                ("not", "/", ("-s", str(script))),
                ("fastapi", "/hello/fastapi", ()),
                ("asgi", "/hello/asgi", ()),
            ):
                rate, p99 = load(f"http://127.0.0.1:{made.port}{path}", *more)
                if number:
                    rates.setdefault(name, []).append(rate)
                    slow.setdefault(name, []).append(p99)
    warm = tuple(rates["remembered"])
    for words, floor, least in (
        ("a redirect that is not remembered", "not", 5.0),
        ("a bare hello (FastAPI)", "fastapi", 0.7),
        ("a bare hello (plain ASGI)", "asgi", None),
    ):
        yield Figure(part="links", name=f"remembered redirects against {words}", unit="/s",
                     values=warm, floor=tuple(rates[floor]), least_times=least)  # fmt: skip
    for name, words in (("remembered", "remembered redirect"), ("not", "redirect that is not")):
        yield Figure(part="links", name=f"99 % within, {words}", unit="ms",
                     values=tuple(slow[name]), floor=tuple(slow["fastapi"]))  # fmt: skip


@contextlib.contextmanager
def new_project() -> Iterator[Project]:
    """`gear new`, with a hello beside the backend, and many links."""
    with tempfile.TemporaryDirectory(prefix="gear-bench-") as place:
        Path(place).chmod(0o755)
        run([*GEAR, "new", "shop"], cwd=place, env=ENVIRONMENT)
        made = Project(Path(place) / "shop", free_port())
        (made.folder / "backend" / "app" / "hello.py").write_text(HELLO)
        for name, old, new in (
            ("docker-compose.yml", "  postgres:\n", SERVICE),
            ("docker/nginx/nginx.conf", "        location /l/ {\n", LOCATION),
        ):
            text = (made.folder / name).read_text()
            (made.folder / name).write_text(text.replace(old, new, 1))
        try:
            made.up()
            made.gear("db", "shell", "-q", "-c", FILL.format(cold=COLD))
            wait_for(made.port, "hello", "/hello/fastapi")
            yield made
        finally:
            subprocess.run([*GEAR, "down"], cwd=made.folder, env=ENVIRONMENT, capture_output=True)


def load(url: str, *more: str) -> tuple[float, float]:
    """Requests a second, and the time in ms within which 99 % were answered."""
    words = ["wrk", "-t1", "-c64", f"-d{SECONDS}s", "--latency", *more, url]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    if not rate or not p99:
        raise SystemExit(said)
    return float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]]
