"""Readiness checks: one attempt each; the caller repeats them."""

from __future__ import annotations

import asyncio
import contextlib
import signal

from geartrain.engine.descent import send
from geartrain.engine.embedded.supervisor.spawn import Children
from geartrain.engine.embedded.supervisor.spec import Probe, ProbeKind


async def attempt(probe: Probe, children: Children, cwd: str, user: int | None) -> str:
    """Check once.

    Returns:
        "" when the check passed, else what was seen instead.
    """
    try:
        async with asyncio.timeout(probe.timeout):
            match probe.kind:
                case ProbeKind.TCP:
                    return await _tcp(probe)
                case ProbeKind.HTTP:
                    return await _http(probe)
                case ProbeKind.REDIS:
                    return await _redis(probe)
                case ProbeKind.COMMAND:
                    return await _command(probe, children, cwd, user)
                case ProbeKind.NONE | ProbeKind.EXIT:
                    return ""
    except TimeoutError:
        return f"no answer to {name(probe)} within {probe.timeout:g} s"
    except OSError:
        return f"nothing answers on {probe.address}:{probe.port}"


def name(probe: Probe) -> str:
    """What is asked, and where."""
    match probe.kind:
        case ProbeKind.HTTP:
            return f"GET {probe.path} on {probe.address}:{probe.port}"
        case ProbeKind.COMMAND:
            return f"the healthcheck `{' '.join(probe.argv)}`"
        case _:
            return f"{probe.kind} on {probe.address}:{probe.port}"


async def _tcp(probe: Probe) -> str:
    _, writer = await asyncio.open_connection(probe.address, probe.port)
    await _close(writer)
    return ""


async def _http(probe: Probe) -> str:
    reader, writer = await asyncio.open_connection(probe.address, probe.port)
    try:
        # HTTP/1.0 asks for no keep-alive; a Host of its own keeps strict apps content.
        writer.write(
            f"GET {probe.path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: gear-probe\r\n"
            "Connection: close\r\n\r\n".encode("latin-1")
        )
        line = (await reader.readline()).decode("latin-1").strip()
    finally:
        await _close(writer)
    words = line.split(" ", 2)
    if len(words) > 1 and words[1][:1] in ("2", "3"):
        return ""
    return f"{name(probe)} answers {' '.join(words[1:]) or 'no HTTP'!r}"


async def _redis(probe: Probe) -> str:
    reader, writer = await asyncio.open_connection(probe.address, probe.port)
    try:
        writer.write(_resp("AUTH", probe.user, probe.password) + _resp("PING"))
        hello, pong = await reader.readline(), await reader.readline()
    finally:
        await _close(writer)
    if hello.startswith(b"+OK") and pong.startswith(b"+PONG"):
        return ""
    return f"{name(probe)} answers {(hello + pong).decode(errors='replace').strip()!r}"


def _resp(*words: str) -> bytes:
    """A command in RESP (redis.io/docs/latest/develop/reference/protocol-spec)."""
    parts = [f"*{len(words)}\r\n".encode()]
    parts += [f"${len(w.encode())}\r\n{w}\r\n".encode() for w in words]
    return b"".join(parts)


async def _command(probe: Probe, children: Children, cwd: str, user: int | None) -> str:
    said: list[bytes] = []
    try:
        child = children.start(probe.argv, env=probe.env, cwd=cwd, user=user, output=said.append)
    except OSError as error:
        return f"{probe.argv[0]}: {error.strerror}"
    try:
        code = await asyncio.shield(child.ended)
    except asyncio.CancelledError:
        send([child.pid], signal.SIGKILL)
        raise
    if code == 0:
        return await _tcp(probe) if probe.listens else ""
    words = b"".join(said).decode(errors="replace").strip().splitlines()
    return f"{name(probe)} ends with {code}" + (f": {words[-1]}" if words else "")


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
