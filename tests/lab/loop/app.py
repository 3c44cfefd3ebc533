"""Answers well until it is live, and crashes; then after two seconds, each time it is started."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"fine, still\n")


was_live = Path("/tmp/was-live")
threading.Timer(2 if was_live.exists() else 10, os._exit, [1]).start()
was_live.touch()
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
