"""A backend as they are: a framework, PostgreSQL and Redis. Answers with its version first."""

import os
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from valkey.asyncio import Valkey
from version import VERSION


@asynccontextmanager
async def lifespan(app):
    app.state.redis = Valkey.from_url(os.environ["REDIS_URL"])
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1) as app.state.pool:
        await app.state.pool.execute("CREATE TABLE IF NOT EXISTS visits (at timestamptz)")
        yield
    await app.state.redis.aclose()


async def visit(request):
    state = request.app.state
    await state.pool.execute("INSERT INTO visits VALUES (now())")
    return PlainTextResponse(f"{VERSION} {await state.redis.incr('visits')}\n")


async def hello(_):
    return PlainTextResponse(f"{VERSION} hello\n")


app = Starlette(
    routes=[Route("/", visit), Route("/hello", hello), Route("/health", hello)], lifespan=lifespan
)
