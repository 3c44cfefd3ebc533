"""Answers well for two seconds and crashes, each time it is started."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"fine, still\n")


threading.Timer(2, os._exit, [1]).start()
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
