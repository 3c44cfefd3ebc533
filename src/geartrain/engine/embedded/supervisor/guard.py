"""The guard: parent of the supervisor, and of whatever outlives it.

`python -m geartrain.engine.embedded.supervisor.guard RUN LOGS` leaves its
caller's session, writes `ready` to its output once the supervisor answers, and
stays until the supervisor has ended, however that came about. Then it ends
every process below it, so nothing is left behind even after `kill -9` of the
supervisor. Should the guard itself be killed, the kernel tells the supervisor
to stop.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

from geartrain.engine.descent import (
    become_subreaper,
    end_all_below,
    signal_on_parent_death,
)

GRACE = 5.0


def main(run: Path, logs: Path) -> int:
    """Start the supervisor and outlive it."""
    with contextlib.suppress(PermissionError):
        os.setsid()
    os.umask(0o077)
    become_subreaper()
    # Blocked, so that the clean-up can wait for children with a time limit.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    guard = os.getpid()
    supervisor = os.fork()
    if not supervisor:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        signal_on_parent_death(signal.SIGTERM)
        if os.getppid() != guard:  # it ended before the kernel was asked to tell
            os._exit(1)
        _supervise(run, logs)
    pids = f"{os.getpid()} {supervisor}\n"
    (run / "pids").write_text(pids)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: _pass_on(supervisor))
    _detach()
    code = _await(supervisor)
    end_all_below(os.getpid(), GRACE)
    if _says(run / "pids", pids):  # not the next one's, which did not wait for what was left here
        for name in ("supervisor.sock", "pids"):
            (run / name).unlink(missing_ok=True)
    return 0 if code == 0 else 1


def _says(path: Path, text: str) -> bool:
    try:
        return path.read_text() == text
    except OSError:
        return False


def _supervise(run: Path, logs: Path) -> None:
    import asyncio

    from geartrain.engine.embedded.supervisor.server import serve

    become_subreaper()
    code = 1
    try:
        asyncio.run(serve(run, logs))
        code = 0
        # Daemons that hide are the guard's to end, unless it was killed.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        end_all_below(os.getpid(), GRACE)
    finally:
        os._exit(code)


def _await(pid: int) -> int:
    while True:
        try:
            ended, status = os.waitpid(-1, 0)
        except ChildProcessError:
            return 1
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def _pass_on(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def _detach() -> None:
    """Let go of the caller's terminal and pipes; errors stay in the log that it opened."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
