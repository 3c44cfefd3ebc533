"""The HTTP interface: `uvicorn app.web:app`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from types import FrameType
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import Route

from app import database, logs, problems
from app.api import events, health, links, sessions
from app.cache import Targets
from app.clicks import Recorder
from app.edge import Edge
from app.events import Hub
from app.fast import LONG, Fast, connect
from app.passwords import Guesses
from app.sessions import Sessions
from app.settings import Settings
from app.state import Parts
from app.store import Store


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Parts]]:
    """Open what the process needs, and close it in the order that loses nothing."""
    settings = Settings.read()
    fast = Fast(connect(settings.redis_url))
    patient = Fast(connect(settings.redis_url, LONG))
    async with database.open_pool(settings.database_url, settings.pool_size, "web") as pool:
        store = Store(pool)
        targets = Targets(fast, store.target, settings.cache_seconds, settings.local_seconds)
        recorder = Recorder(fast, pool)
        hub = Hub(settings.redis_url, targets.drop)
        following = asyncio.create_task(hub.run())
        _at_stop(hub.close)
        yield {
            "parts": Parts(
                store=store,
                fast=fast,
                targets=targets,
                recorder=recorder,
                sessions=Sessions(patient, settings.session_seconds),
                guesses=Guesses(patient),
                hub=hub,
            )
        }
        await recorder.close()
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await fast.close()
        await patient.close()


def _at_stop(call: Callable[[], None]) -> None:
    """Have `call` run at once when the server is told to stop.

    Without this, open event streams would keep uvicorn waiting for their end.
    """
    loop = asyncio.get_running_loop()

    def chain(number: int) -> None:
        before = signal.getsignal(number)

        def stop(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(call)
            if callable(before):
                before(number, frame)

        signal.signal(number, stop)

    with suppress(ValueError):  # a test may run the app outside the main thread
        chain(signal.SIGTERM)
        chain(signal.SIGINT)


def build() -> FastAPI:
    """The API."""
    logs.set_up()
    app = FastAPI(
        title="Links",
        version="1",
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    routes = [route for route in app.routes if isinstance(route, Route)]
    for module in (sessions, links, events, health):
        app.include_router(module.router)
        routes += [route for route in module.router.routes if isinstance(route, Route)]
    problems.install(app, routes)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's own way to do it
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's description, with what it does not know of: problems, and the redirect."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, routes=app.routes)
        schemas = found["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        described = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= described.pop("$defs")
        schemas["Problem"] = described
        found["paths"]["/l/{slug}"] = {
            "get": {
                "tags": ["links"],
                "operationId": "follow",
                "summary": "Follow a short link; counts a click.",
                "parameters": [
                    {"name": "slug", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
                "responses": {
                    "302": {
                        "description": "Found",
                        "headers": {"Location": {"required": True, "schema": {"type": "string"}}},
                    },
                    **{str(k): v for k, v in problems.responses(404, 503).items()},
                },
            }
        }
        app.openapi_schema = found
    return app.openapi_schema


api = build()
app = Edge(api)
