"""An HTTP/1.1 server by hand: says its version, and can be slow, stream, hang and crash.

SIGTERM: no new connections, idle ones close, running requests end first, streams end at once.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import signal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

VERSION_FILE = Path(__file__).parent / "VERSION"
VERSION = VERSION_FILE.read_text().strip()
LARGEST_BODY = 64 * 2**20
LARGEST_FRAME = 2**20
WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
REASONS = {200: "OK", 201: "Created", 400: "Bad Request", 404: "Not Found"}
REASONS |= {411: "Length Required", 413: "Content Too Large"}

stopping = asyncio.Event()
idle: set[asyncio.StreamWriter] = set()  # connections between two requests
running: set[asyncio.Task[None]] = set()


class Request:
    def __init__(self, head: bytes, body: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.protocol = first.split(" ")
        pairs = (line.partition(":") for line in lines if line)
        self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self.path = urlsplit(self.target).path
        self.query = parse_qs(urlsplit(self.target).query)
        self.body = body

    @property
    def keep(self) -> bool:
        wish = self.headers.get("connection", "").lower()
        kept = wish != "close" if self.protocol == "HTTP/1.1" else wish == "keep-alive"
        return kept and not stopping.is_set()


class RefusedError(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    task = asyncio.current_task()
    assert task
    running.add(task)
    try:
        while await answer(reader, writer):
            pass
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    finally:
        running.discard(task)
        writer.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Serve one request; return whether the connection stays open."""
    idle.add(writer)
    try:
        first = await reader.readexactly(1)
    finally:
        idle.discard(writer)
    try:
        request = await read(first, reader, writer)
    except (RefusedError, ValueError) as error:
        reply(writer, getattr(error, "status", 400), b"", keep=False)
        return False
    match request.path:
        case "/sse":
            await tick(writer)
            return False
        case "/ws" if "sec-websocket-key" in request.headers:
            await echo_frames(request, reader, writer)
            return False
    status, body, kind = await respond(request)
    keep = request.keep
    reply(writer, status, body, kind, keep=keep, silent=request.method == "HEAD")
    await writer.drain()
    return keep and not stopping.is_set()


async def read(first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    head = first + await reader.readuntil(b"\r\n\r\n")
    request = Request(head, b"")
    if "transfer-encoding" in request.headers:
        raise RefusedError(411)
    length = int(request.headers.get("content-length", "0"))
    if not 0 <= length <= LARGEST_BODY:
        raise RefusedError(413)
    if request.headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.body = await reader.readexactly(length)
    return request


async def respond(request: Request) -> tuple[int, bytes, str]:
    """Status, body and media type."""
    text = "text/plain; charset=utf-8"
    if request.method == "POST":
        return 200, request.body, request.headers.get("content-type", "application/octet-stream")
    match request.path:
        case "/":
            return 200, f"hello {VERSION}\n".encode(), text
        case "/file":  # as it is on the disk now: a release must not change under an instance
            return 200, VERSION_FILE.read_bytes(), text
        case "/pid":
            return 200, f"{os.getpid()}\n".encode(), text
        case "/env":  # names only
            return 200, json.dumps(sorted(os.environ)).encode(), "application/json"
        case "/headers":
            return 200, json.dumps(request.headers).encode(), "application/json"
        case "/slow":
            await asyncio.sleep(min(float(request.query.get("s", ["1"])[0]), 60))
            return 200, f"slow {VERSION}\n".encode(), text
        case "/crash":
            os._exit(3)
        case "/hang":
            await asyncio.Event().wait()
    return 404, b"not found\n", text


def reply(
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes,
    kind: str = "text/plain; charset=utf-8",
    *,
    keep: bool,
    silent: bool = False,
) -> None:
    head = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: {kind}\r\n"
    head += (
        f"Content-Length: {len(body)}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n"
    )
    writer.write(head.encode("latin-1") + (b"" if silent else body))


async def tick(writer: asyncio.StreamWriter) -> None:
    """Server-sent events, ten a second, until the client goes or the server stops."""
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    number = 0
    while not stopping.is_set():
        writer.write(f"id: {number}\ndata: {VERSION}\n\n".encode())
        await writer.drain()
        number += 1
        try:
            await asyncio.wait_for(stopping.wait(), 0.1)
        except TimeoutError:
            continue


async def echo_frames(
    request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """WebSocket echo; a stopping server closes with 1001 (going away)."""
    key = request.headers["sec-websocket-key"].encode()
    accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET).digest()).decode()
    writer.write(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )
    stopped = asyncio.create_task(stopping.wait())
    try:
        while True:
            incoming = asyncio.create_task(frame(reader))
            await asyncio.wait({incoming, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not incoming.done():
                incoming.cancel()
                send_frame(writer, 0x80 | CLOSE, (1001).to_bytes(2, "big"))
                return
            first, payload = incoming.result()
            code = first & 0x0F
            if code != PONG:
                send_frame(writer, 0x80 | PONG if code == PING else first, payload)
                await writer.drain()
            if code == CLOSE:
                return
    finally:
        stopped.cancel()


async def frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The first byte (end mark and kind) and the unmasked payload of a client's frame."""
    first, size = await reader.readexactly(2)
    length = size & 0x7F
    if length > 125:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
    if not size & 0x80 or length > LARGEST_FRAME:
        raise ConnectionError("frame without a mask, or too long")
    mask = await reader.readexactly(4)
    masked = await reader.readexactly(length)
    return first, bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked))


def send_frame(writer: asyncio.StreamWriter, first: int, payload: bytes) -> None:
    length = len(payload)
    if length < 126:
        size = bytes([length])
    elif length < 2**16:
        size = b"\x7e" + length.to_bytes(2, "big")
    else:
        size = b"\x7f" + length.to_bytes(8, "big")
    writer.write(bytes([first]) + size + payload)


async def main() -> None:
    server = await asyncio.start_server(serve, "0.0.0.0", 8080, backlog=1024)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    print(f"hello {VERSION} listens on 8080, pid {os.getpid()}")
    await stopping.wait()
    server.close()
    for writer in tuple(idle):
        writer.close()
    if running:
        await asyncio.wait(tuple(running))
    print(f"hello {VERSION} stopped")


if __name__ == "__main__":
    asyncio.run(main())
