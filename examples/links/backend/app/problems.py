"""Errors as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Route

from app import database
from app.fast import AwayError

TYPE = "application/problem+json"
log = logging.getLogger("app")


class Wrong(BaseModel):
    """One thing that is wrong with what was sent."""

    where: str
    why: str


class Problem(BaseModel):
    """What went wrong, and what the client can do about it."""

    title: str
    status: int
    detail: str | None = None
    errors: list[Wrong] | None = None


class Refusal(HTTPException):
    """Raised by an endpoint to answer with a problem."""


def answer(
    status: int, detail: str = "", errors: list[Wrong] | None = None, **headers: str
) -> JSONResponse:
    """A problem as an answer."""
    body = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=detail or None, errors=errors
    )
    content = body.model_dump(exclude_none=True)
    return JSONResponse(content, status, {"Cache-Control": "no-store", **headers}, media_type=TYPE)


def unavailable(error: BaseException) -> JSONResponse:
    """The answer while PostgreSQL is away."""
    log.warning("the database does not answer", extra={"error": repr(error)})
    return answer(503, "the database does not answer; try again soon", **{"Retry-After": "1"})


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says about the problems of an endpoint."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {TYPE: {"schema": schema}}}
        for status in statuses
    }


def install(app: FastAPI, routes: Sequence[Route]) -> None:
    """Answer every failure of an app, which has these routes, with a problem."""

    def allowed(request: Request) -> str:
        """Every method that some route has for a path (RFC 9110, section 10.2.1)."""
        here = [route for route in routes if route.path_regex.match(request.url.path)]
        return ", ".join(sorted({method for route in here for method in route.methods or ()}))

    async def refused(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        detail = error.detail if error.detail != HTTPStatus(error.status_code).phrase else ""
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = allowed(request)
        return answer(error.status_code, detail, **headers)

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        errors = [
            Wrong(where=".".join(str(word) for word in one["loc"]), why=one["msg"])
            for one in error.errors()
        ]
        return answer(422, "what was sent does not fit", errors)

    async def no_database(_: Request, error: Exception) -> JSONResponse:
        return unavailable(error)

    async def no_redis(_: Request, error: Exception) -> JSONResponse:
        log.warning("Redis does not answer", extra={"error": repr(error.__cause__)})
        detail = "log-ins do not work for the moment; try again soon"
        return answer(503, detail, **{"Retry-After": "1"})

    async def failed(_: Request, __: Exception) -> JSONResponse:
        return answer(500)  # a bug; its trace is in the log

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(AwayError, no_redis)
    app.add_exception_handler(Exception, failed)
    for kind in database.DOWN:
        app.add_exception_handler(kind, no_database)
