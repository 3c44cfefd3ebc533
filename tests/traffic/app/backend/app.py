"""Answers with its version at both ends of the body, and remembers what it was sent.

GET  /?t=TOKEN&n=BYTES   echo, with so much in between
POST /ledger             the body's first line goes to a file, once for each time it is processed
POST /rows               the body's first line becomes a row; answers only after the commit
POST /keys               the body's first line becomes a key of Redis
GET  /ledger, /rows, /keys  all of them, a line each
GET  /events             a server-sent event every 100 ms
     /socket             a WebSocket that does the same
"""

import asyncio
import contextlib
import os
from pathlib import Path
from urllib.parse import parse_qs

from version import VERSION

pool = None
redis = None
LEDGER = os.environ["LEDGER"]
ledger = os.open(LEDGER, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await socket(receive, send)
    elif scope["path"] == "/events":
        await events(receive, send)
    else:
        await answer(scope, receive, send)


async def lifespan(receive, send):
    global pool, redis
    await receive()
    if VERSION.startswith("broken"):
        await send({"type": "lifespan.startup.failed", "message": "this version is broken"})
        return
    if "DATABASE_URL" in os.environ:
        import asyncpg
        from valkey.asyncio import Valkey

        url = os.environ["DATABASE_URL"]
        pool = await asyncpg.create_pool(url, min_size=2, max_size=8, command_timeout=5)
        async with pool.acquire() as link, link.transaction():
            # Two replicas at once would both try: PostgreSQL looks and creates in two steps.
            await link.execute("SELECT pg_advisory_xact_lock(1)")
            await link.execute("CREATE TABLE IF NOT EXISTS rows (id text PRIMARY KEY)")
        redis = Valkey.from_url(os.environ["REDIS_URL"], socket_timeout=2)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    if pool:
        await pool.close()
        await redis.aclose()
    await send({"type": "lifespan.shutdown.complete"})


async def answer(scope, receive, send):
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    query = parse_qs(scope["query_string"].decode())
    token = query.get("t", [""])[0] or body.partition(b"\n")[0].decode()
    status = 200
    try:
        if scope["method"] == "GET" and scope["path"] in ("/rows", "/keys"):
            await text(send, 200, "\n".join(await everything(scope["path"])))
            return
        if scope["method"] == "GET" and scope["path"] == "/ledger":
            with Path(LEDGER).open() as kept:
                await text(send, 200, kept.read())
            return
        if scope["path"] == "/ledger":
            os.write(ledger, f"{token}\n".encode())
        elif scope["path"] == "/rows":
            await pool.execute("INSERT INTO rows VALUES ($1) ON CONFLICT DO NOTHING", token)
        elif scope["path"] == "/keys":
            await redis.set(f"row:{token}", VERSION)
    except Exception:  # whatever it is: not acknowledged
        status = 503
    filling = "." * int(query.get("n", ["0"])[0])
    await text(send, status, f"{VERSION} {token} {filling} {VERSION}\n")


async def text(send, status, body):
    data = body.encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(data))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})


async def everything(path):
    if path == "/rows":
        return [row["id"] for row in await pool.fetch("SELECT id FROM rows")]
    return [key.decode().partition(":")[2] async for key in redis.scan_iter("row:*", count=1000)]


async def events(receive, send):
    await receive()  # the request's body; what comes after it is the end
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    gone = asyncio.ensure_future(receive())
    while not gone.done():
        await send(
            {
                "type": "http.response.body",
                "body": f"data: {VERSION}\n\n".encode(),
                "more_body": True,
            }
        )
        await asyncio.wait([gone], timeout=0.1)


async def socket(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    gone = asyncio.ensure_future(receive())
    with contextlib.suppress(Exception):
        while not gone.done():
            await send({"type": "websocket.send", "text": VERSION})
            await asyncio.wait([gone], timeout=0.1)
