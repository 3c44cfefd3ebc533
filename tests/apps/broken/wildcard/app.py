"""Binds 0.0.0.0 by a call into libc, out of reach of any hook in Python."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"from everywhere\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def bind_all(server: socket.socket, port: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    family = struct.pack("=H", socket.AF_INET)
    address = family + struct.pack("!H4s8x", port, socket.inet_aton("0.0.0.0"))
    if libc.bind(server.fileno(), address, len(address)):
        code = ctypes.get_errno()
        raise OSError(code, f"bind 0.0.0.0:{port}: {os.strerror(code)}")


web = ThreadingHTTPServer(("0.0.0.0", 8080), Handler, bind_and_activate=False)
web.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
bind_all(web.socket, 8080)
web.server_activate()
web.serve_forever()
