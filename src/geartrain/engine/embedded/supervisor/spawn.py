"""Starting programs under an asyncio loop, and learning that they have ended.

One SIGCHLD handler reaps everything, also grandchildren that were adopted.
This is, with `geartrain.run`, the only place that starts programs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from geartrain.engine.descent import signal_on_parent_death


@dataclass(frozen=True, slots=True)
class Child:
    """A program that was started. `ended` becomes its exit code (negative: the signal)."""

    pid: int
    ended: asyncio.Future[int]


class Children:
    """All direct children of this process."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._running: dict[int, tuple[asyncio.Future[int], subprocess.Popen[bytes]]] = {}
        loop.add_signal_handler(signal.SIGCHLD, self._reap)

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        user: int | None = None,
        stop_signal: int = signal.SIGTERM,
        memory: int = 0,
        output: Callable[[bytes], None] | None = None,
    ) -> Child:
        """Start a program in a session of its own.

        Args:
            argv: program and arguments.
            env: its whole environment.
            cwd: its working folder.
            user: numeric user and group to run as.
            stop_signal: what the kernel sends it should this process die.
            memory: bytes of private memory it may map (`RLIMIT_DATA`); 0 is no limit.
            output: gets its output and errors as they come, and b"" at the end.

        Raises:
            OSError: it cannot be started.
        """

        def limit() -> None:
            signal_on_parent_death(stop_signal)
            # A shell's background job ignores SIGINT, nohup SIGHUP; what runs here must not.
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            if memory:
                resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))

        read, write = os.pipe() if output else (-1, -1)
        try:
            popen = subprocess.Popen(
                list(argv),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=write if output else subprocess.DEVNULL,
                stderr=write if output else subprocess.DEVNULL,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                preexec_fn=limit,  # one thread only: the loop's
            )
        except BaseException:
            if output:
                os.close(read)
            raise
        finally:
            if output:
                os.close(write)
        if output:
            os.set_blocking(read, False)
            self._loop.add_reader(read, self._pump, read, output)
        ended: asyncio.Future[int] = self._loop.create_future()
        self._running[popen.pid] = (ended, popen)
        return Child(popen.pid, ended)

    def known(self) -> set[int]:
        """Pids of the programs that have not ended."""
        return set(self._running)

    def _pump(self, fd: int, output: Callable[[bytes], None]) -> None:
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(fd)
            os.close(fd)
        output(data)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                ended, popen = self._running.pop(pid, (None, None))
                if ended is None or popen is None:
                    continue  # an adopted grandchild
                popen.returncode = os.waitstatus_to_exitcode(status)
                if not ended.done():
                    ended.set_result(popen.returncode)


async def gone(pid: int) -> None:
    """Wait until a process has ended, which need not be a child (pidfd_open(2))."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.add_reader(fd, done.set)
    try:
        await done.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)
