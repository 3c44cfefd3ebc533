"""An ASGI app without a framework: says its version, echoes what is posted."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

VERSION = (Path(__file__).parent / "VERSION").read_text().strip()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    status, body = 200, b""
    if scope["method"] == "POST":
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
    elif scope["path"] == "/":
        body = f"hello {VERSION}\n".encode()
    elif scope["path"] == "/pid":
        body = f"{os.getpid()}\n".encode()
    elif scope["path"] == "/slow":
        query = parse_qs(scope["query_string"].decode())
        await asyncio.sleep(min(float(query.get("s", ["1"])[0]), 60))
        body = f"slow {VERSION}\n".encode()
    else:
        status, body = 404, b"not found\n"
    length = str(len(body)).encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
