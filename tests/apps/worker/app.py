"""Four services in one program; each writes what it did to `$WORK_DIR/<service>.log`."""

from __future__ import annotations

import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WORK = Path(os.environ["WORK_DIR"])


def note(service: str, what: str) -> None:
    with (WORK / f"{service}.log").open("a") as file:
        file.write(f"{what} {os.getpid()}\n")
    print(service, what)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with every service's file."""
        parts = [f"{path.stem}: {path.read_text()}" for path in sorted(WORK.glob("*.log"))]
        body = "".join(parts).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def web() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # as process 1 there is no default
    note("web", "started")
    ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()


def worker() -> None:
    told: list[int] = []  # no Event: to set one within its own wait() waits for ever
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    note("worker", "started")
    while not told:
        note("worker", "worked")
        time.sleep(0.2)
    note("worker", "stopped")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["web"]:
            web()
        case ["worker"]:
            worker()
        case ["once" | "job" as service]:
            note(service, "ran")
        case _:
            sys.exit("usage: app.py web|worker|once|job")
