"""Prints megabytes, then serves."""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"phew\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def chat(megabytes: int) -> None:
    line = "x" * 87 + "\n"
    for number in range(megabytes * 2**20 // 100):
        sys.stdout.write(f"{number:011} {line}")
    sys.stdout.flush()
    print("said it all", file=sys.stderr)


chat(int(os.environ.get("CHATTY_MB") or 20))
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
