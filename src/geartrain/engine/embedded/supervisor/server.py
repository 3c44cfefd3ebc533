"""The supervisor: keeps processes and answers requests, a JSON line each, on a Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from geartrain.engine.embedded.supervisor.logs import LogFile, shift, stamp
from geartrain.engine.embedded.supervisor.process import Process
from geartrain.engine.embedded.supervisor.spawn import Children, gone
from geartrain.engine.embedded.supervisor.spec import State, digest, from_json

SOCKET = "supervisor.sock"
STOP_ORDER = ("edge", "job", "web", "worker", "other", "cache", "database")
HOUSEKEEPING_EVERY = 60.0
SELF_WRITTEN_MAX = 50 * 1024 * 1024

TELLING = (State.FAILED, State.BACKOFF, State.STARTING, State.EXITED)

Request = dict[str, Any]
Reply = dict[str, Any]


class Supervisor:
    """All processes of one private host.

    Args:
        logs: folder of the log files.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children = Children(asyncio.get_running_loop())
        self._processes: dict[str, Process] = {}
        self._files: dict[str, LogFile] = {}
        self._followers: set[asyncio.Queue[bytes]] = set()
        self._change = asyncio.Condition()
        # What is stopped once its last requests are done.
        self._retiring: dict[str, asyncio.Task[None]] = {}
        self.finished = asyncio.Event()
        self._ending = False
        self._started = time.time()

    # -- requests -----------------------------------------------------------

    async def answer(self, request: Request) -> Reply:
        """Carry out one request; every verb can be repeated without harm."""
        verbs: dict[str, Callable[[Request], Awaitable[Reply]]] = {
            "observe": self._observe,
            "start": self._start,
            "ready": self._ready,
            "wait": self._wait,
            "stop": self._stop,
            "retire": self._retire,
            "drained": self._drained,
            "restart": self._restart,
            "signal": self._signal,
            "spec": self._spec,
            "forget": self._forget,
            "shutdown": self._shutdown,
        }
        verb = verbs.get(str(request.get("op")))
        if verb is None:
            return {"error": f"unknown request {request.get('op')!r}"}
        try:
            return await verb(request)
        except Exception as error:  # told to the caller, who decides
            return {"error": f"{type(error).__name__}: {error}"}

    async def _observe(self, _: Request) -> Reply:
        return {
            "supervisor": {
                "pid": os.getpid(),
                "since": self._started,
                "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "stopping": self._ending,
            },
            "instances": [
                _shown(process)
                | ({"state": State.STOPPING, "note": "draining"} if name in self._retiring else {})
                for name, process in self._processes.items()
            ],
        }

    async def _start(self, request: Request) -> Reply:
        if self._ending:
            return {"error": "the supervisor is stopping"}
        for plain in request["specs"]:
            spec = from_json(plain)
            known = self._processes.get(spec.name)
            if retiring := self._retiring.pop(spec.name, None):
                if known and known.stopping:
                    await asyncio.wait([retiring])  # too late: it has its grace period
                    known = self._processes.get(spec.name)
                else:
                    retiring.cancel()  # it is wanted again
            if known and not known.settled and digest(known.spec) == digest(spec):
                continue
            if known:
                await known.stop()
            self._processes[spec.name] = Process(spec, self._children, self._write, self._changed)
        return {}

    async def _ready(self, request: Request) -> Reply:
        """Wait until each of these is ready (a one-shot: has ended well), or one has failed."""
        names = list(request["names"])
        wanted = [self._processes[name] for name in names]
        limit = max((p.spec.start_timeout for p in wanted), default=0.0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(request.get("timeout") or limit), self._change:
                await self._change.wait_for(
                    lambda: (
                        all(_fine(p) for p in wanted)
                        or any(p.settled and not _fine(p) for p in wanted)
                    )
                )
        return {"instances": [_shown(p) | {"fine": _fine(p)} for p in wanted]}

    async def _wait(self, request: Request) -> Reply:
        """Wait until each of these has ended for good."""
        wanted = [self._processes[name] for name in request["names"]]
        async with self._change:
            await self._change.wait_for(lambda: all(p.settled for p in wanted))
        return {"instances": [_shown(p) for p in wanted]}

    async def _stop(self, request: Request) -> Reply:
        names = [name for name in request["names"] if name in self._processes]
        await asyncio.gather(*(self._end(name) for name in names))
        return {"stopped": names}

    async def _end(self, name: str) -> None:
        process = self._processes[name]
        await process.stop()
        if self._processes.get(name) is process:  # not another one of that name, meanwhile
            del self._processes[name]

    async def _retire(self, request: Request) -> Reply:
        """Stop these once some other processes have ended, at the latest after a time."""
        for name in request["names"]:
            if name in self._processes and name not in self._retiring:
                later = self._later(name, request["after"], float(request["deadline"]))
                self._retiring[name] = asyncio.create_task(later)
        return {}

    async def _later(self, name: str, after: list[int], deadline: float) -> None:
        process = self._processes[name]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                await asyncio.gather(*(gone(pid) for pid in after))
        if self._processes.get(name) is process:
            await self._end(name)
        self._retiring.pop(name, None)
        await self._notify()

    async def _drained(self, request: Request) -> Reply:
        """Wait until everything that retires has stopped. Says whether it has."""
        pending = set(self._retiring.values())
        if pending:
            await asyncio.wait(pending, timeout=float(request["timeout"]))
        return {"drained": all(task.done() for task in pending)}

    async def _restart(self, request: Request) -> Reply:
        for name in request["names"]:
            process = self._processes[name]
            if process.settled:
                spec = process.spec
                self._processes[name] = Process(spec, self._children, self._write, self._changed)
            else:
                await process.restart()
        return {}

    async def _signal(self, request: Request) -> Reply:
        process = self._processes[request["name"]]
        process.signal(signal.Signals[request["signal"]])
        return {"pid": process.pid}

    async def _spec(self, request: Request) -> Reply:
        from geartrain.engine.embedded.supervisor.spec import to_json

        return {"spec": to_json(self._processes[request["name"]].spec)}

    async def _forget(self, request: Request) -> Reply:
        """Drop the record of processes that have ended."""
        for name in request["names"]:
            if name in self._processes and self._processes[name].settled:
                del self._processes[name]
        return {}

    async def _shutdown(self, _: Request) -> Reply:
        """Stop everything, those that take requests first and data services last."""
        self._ending = True
        for role in STOP_ORDER:
            group = [p for p in self._processes.values() if p.spec.role == role]
            await asyncio.gather(*(p.stop() for p in group))
        self.finished.set()
        return {}

    # -- log lines ----------------------------------------------------------

    def _write(self, service: str, line: bytes) -> None:
        file = self._files.get(service)
        if file is None:
            file = self._files[service] = LogFile(self._logs / f"{service}.log")
        file.write(line)
        for follower in self._followers:
            if follower.full():
                follower.get_nowait()  # a reader that is too slow loses the oldest
            follower.put_nowait(service.encode() + b"\t" + line)

    def follow(self) -> asyncio.Queue[bytes]:
        """A queue that gets every log line from now on."""
        queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=20_000)
        self._followers.add(queue)
        return queue

    def unfollow(self, queue: asyncio.Queue[bytes]) -> None:
        """Stop filling a queue."""
        self._followers.discard(queue)

    async def keep_house(self) -> None:
        """Once a minute: rotate the logs that processes write themselves."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_EVERY)
            for process in self._processes.values():
                for name in process.spec.rotate:
                    path = Path(name)
                    with contextlib.suppress(OSError):
                        if path.stat().st_size > SELF_WRITTEN_MAX:
                            shift(path)
                            process.signal(signal.SIGUSR1)

    # -- changes ------------------------------------------------------------

    def _changed(self, process: Process) -> None:
        if process.note and process.state in (State.BACKOFF, State.FAILED, State.UNHEALTHY):
            line = f"{stamp(time.time())} gear {process.spec.name} {process.note}\n"
            self._write(process.spec.service, line.encode())
        asyncio.ensure_future(self._notify())  # noqa: RUF006  # ends by itself at once

    async def _notify(self) -> None:
        async with self._change:
            self._change.notify_all()


def _fine(process: Process) -> bool:
    if process.spec.one_shot:
        return process.state is State.EXITED and process.code == 0
    return process.state in (State.READY, State.SCHEDULED)


def _shown(process: Process) -> Reply:
    spec = process.spec
    return {
        "name": spec.name,
        "service": spec.service,
        "role": spec.role,
        "release": spec.release,
        "index": spec.index,
        "state": process.state,
        "pid": process.pid,
        "address": spec.address,
        "port": spec.port,
        "version": spec.version,
        "since": process.since,
        "restarts": process.restarts,
        "note": process.note,
        "code": process.code,
        "definition": spec.definition,
        "tail": list(process.tail)
        if process.state in (State.FAILED, State.BACKOFF, State.STARTING)
        else [],
    }


async def serve(run: Path, logs: Path) -> None:
    """Be the supervisor until told to stop (request, SIGTERM or SIGINT).

    Args:
        run: folder for the socket; made this process's working folder, so that
            the socket's name stays short (unix(7) allows 108 bytes).
        logs: folder of the log files.
    """
    os.chdir(run)
    supervisor = Supervisor(logs)
    loop = asyncio.get_running_loop()
    stopping: set[asyncio.Task[Reply]] = set()

    def stop() -> None:
        if not stopping:
            stopping.add(loop.create_task(supervisor.answer({"op": "shutdown"})))

    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGINT, stop)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lease = False
        try:
            while line := await reader.readline():
                request = json.loads(line)
                if request.get("op") == "lease":
                    lease = True
                    reply: Reply = {}
                elif request.get("op") == "follow":
                    await _stream(supervisor, reader, writer)
                    return
                else:
                    reply = await supervisor.answer(request)
                writer.write(json.dumps(reply).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, json.JSONDecodeError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            if lease:  # whoever held this host in the foreground has gone
                stop()

    Path(SOCKET).unlink(missing_ok=True)
    mask = os.umask(0o177)  # nobody else may speak to it, not for a moment
    server = await asyncio.start_unix_server(talk, SOCKET, limit=64 * 1024 * 1024)
    os.umask(mask)
    house = asyncio.create_task(supervisor.keep_house())
    await supervisor.finished.wait()
    house.cancel()
    server.close()
    Path(SOCKET).unlink(missing_ok=True)
    await asyncio.sleep(0)  # let the last reply out


async def _stream(
    supervisor: Supervisor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    queue = supervisor.follow()
    left = asyncio.create_task(reader.read())
    try:
        writer.write(b"{}\n")
        while not left.done():
            getting = asyncio.create_task(queue.get())
            ending = asyncio.create_task(supervisor.finished.wait())
            await asyncio.wait({getting, left, ending}, return_when=asyncio.FIRST_COMPLETED)
            ending.cancel()
            if not getting.done():
                getting.cancel()
                return
            writer.write(getting.result())
            await writer.drain()
    finally:
        supervisor.unfollow(queue)
        left.cancel()
