"""What app.py does, for servers that speak WSGI: all but the WebSocket, PostgreSQL and Redis."""

import os
import time
from pathlib import Path
from urllib.parse import parse_qs

from version import VERSION

LEDGER = os.environ["LEDGER"]
ledger = os.open(LEDGER, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def app(environ, start):
    body = environ["wsgi.input"].read()
    path = environ["PATH_INFO"]
    if path == "/events":
        start("200 OK", [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")])
        return events()
    query = parse_qs(environ["QUERY_STRING"])
    token = query.get("t", [""])[0] or body.partition(b"\n")[0].decode()
    if path == "/ledger" and environ["REQUEST_METHOD"] == "GET":
        with Path(LEDGER).open("rb") as kept:
            return text(start, kept.read())
    if path == "/ledger":
        os.write(ledger, f"{token}\n".encode())
    filling = "." * int(query.get("n", ["0"])[0])
    return text(start, f"{VERSION} {token} {filling} {VERSION}\n".encode())


def text(start, data):
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(data)))])
    return [data]


def events():
    while True:  # gunicorn ends it when the client has gone
        yield f"data: {VERSION}\n\n".encode()
        time.sleep(0.1)
