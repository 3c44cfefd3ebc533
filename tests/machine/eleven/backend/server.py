"""Counts visits in PostgreSQL and in Redis: the smallest backend that needs both."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import redis


class Visits(BaseHTTPRequestHandler):
    """Answers every GET with both counts."""

    def do_GET(self) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"]) as database:
            database.execute("CREATE TABLE IF NOT EXISTS visits (at timestamptz DEFAULT now())")
            database.execute("INSERT INTO visits DEFAULT VALUES")
            stored = database.execute("SELECT count(*) FROM visits").fetchone()
        counted = redis.Redis.from_url(os.environ["REDIS_URL"]).incr("visits")
        body = json.dumps({"postgres": stored[0], "redis": counted}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("0.0.0.0", 8080), Visits).serve_forever()
