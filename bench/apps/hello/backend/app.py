"""As little as answers HTTP: with it, all that is measured is what is around it."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from version import VERSION


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{VERSION} hello\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


where = os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8080"))
ThreadingHTTPServer(where, Hello).serve_forever()
