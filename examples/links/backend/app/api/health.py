"""For whoever runs the app; nginx passes none of it on."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.state import Have

router = APIRouter(include_in_schema=False)


@router.get("/health")
async def alive() -> PlainTextResponse:
    """The process works, whatever it depends on: restarting it would mend nothing else."""
    return PlainTextResponse("ok\n")


@router.get("/ready")
async def ready(have: Have) -> PlainTextResponse:
    """Requests can be answered: the database does. Without Redis the app is slower, not dead."""
    await have.store.answers()
    return PlainTextResponse("ok\n")


@router.get("/metrics")
async def metrics() -> Response:
    """Numbers for Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
