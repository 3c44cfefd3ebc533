"""Keeps rows in PostgreSQL, counts visits in Redis, and says which release it is."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import redis

cache = redis.Redis.from_url(os.environ["REDIS_URL"])


def connect() -> psycopg.Connection:
    return psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=3)


def prepare(patience: float = 30.0) -> None:
    """Create the table; PostgreSQL may be starting still."""
    deadline = time.monotonic() + patience
    while True:
        try:
            with connect() as database:
                database.execute("SELECT pg_advisory_xact_lock(11)")
                database.execute(
                    "CREATE TABLE IF NOT EXISTS entries"
                    " (id bigserial PRIMARY KEY, text text NOT NULL)"
                )
                return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        release = int(os.environ["GEAR_RELEASE"])
        if self.path != "/":  # neither needs data: /healthz, /release
            return self.answer(200, {"release": release})
        with connect() as database:
            rows = database.execute("SELECT count(*) FROM entries").fetchone()[0]
        return self.answer(200, {"release": release, "rows": rows, "visits": cache.incr("visits")})

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        with connect() as database:
            database.execute("INSERT INTO entries (text) VALUES (%s)", [text])
        return self.answer(201, {})

    def answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # as process 1 there is no default
    prepare()
    Server(("0.0.0.0", 8080), Handler).serve_forever()
