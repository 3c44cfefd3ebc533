"""Leaves a daemon behind; a request answers with the daemon's process id."""

from __future__ import annotations

import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"%d\n" % PID
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def daemon() -> int:
    """Fork twice, so that the daemon has no parent, and its own session; return its id.

    It keeps standard output, and with it the log, open. It ends by itself after five minutes.
    """
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(writing, str(os.getpid()).encode())
            time.sleep(300)
        os._exit(0)
    os.waitpid(child, 0)
    return int(os.read(reading, 20))


PID = daemon()
print("daemon", PID)
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
