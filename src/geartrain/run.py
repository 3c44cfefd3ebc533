"""The one gateway to other programs: argument lists, never a shell.

A unit test that reaches `subprocess` through anything but this module fails.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from geartrain.errors import Exit, GearError

TAIL_LINES = 30
LOOK_EVERY = 0.25  # seconds between two questions whether to go on

MARK = "GEAR_CALLER"
"""In the environment of every program that is started here: whom it works for."""

CALLER = f"{os.getpid()}-{time.time_ns()}"
"""This process, by a name that no other one ever has."""


def call_anew() -> None:
    """Take another name: this process is a copy that goes on when the one before is killed."""
    global CALLER
    CALLER = f"{os.getpid()}-{time.time_ns()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """A program that has ended."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str


class CommandError(GearError):
    """A program ended with a failure that its caller did not expect."""

    def __init__(self, done: Completed, what: str = "", remedy: str = "") -> None:
        self.done = done
        tail = (done.err or done.out).rstrip().splitlines()[-TAIL_LINES:]
        said = what or f"`{shlex.join(done.argv)}` {_ended(done.code)}"
        super().__init__(said, tail=tail, remedy=remedy)


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name}"


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | Path | None = None,
    timeout: float = 60.0,
    check: bool = True,
    user: int | None = None,
    held: Sequence[int] = (),
) -> Completed:
    """Run a program to its end and return what it said.

    Args:
        argv: program and arguments, passed on as they are.
        env: its whole environment; default this process's own.
        cwd: its working folder.
        stdin: text for its input, or a file that it reads; default none (`/dev/null`).
        timeout: seconds after which it is killed.
        check: raise `CommandError` when it fails.
        user: numeric user to run as (only as root).
        held: descriptors of locks that it holds, too: one that outlives this process goes on
            holding them.

    Raises:
        CommandError: it failed and `check` is set, or it took too long.
        GearError: it is not there.
    """
    words = tuple(str(word) for word in argv)
    try:
        with Path(os.devnull if stdin is None or isinstance(stdin, str) else stdin).open() as file:
            done = subprocess.run(
                words,
                env={**(os.environ if env is None else env), MARK: CALLER},
                cwd=cwd,
                input=stdin if isinstance(stdin, str) else None,
                stdin=None if isinstance(stdin, str) else file,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                pass_fds=held,
            )
    except FileNotFoundError as error:
        raise _absent(words) from error
    except subprocess.TimeoutExpired as error:
        err = error.stderr or b""
        text = err.decode(errors="replace") if isinstance(err, bytes) else err
        late = Completed(argv=words, code=-1, out="", err=text)
        raise CommandError(late, f"`{shlex.join(words)}` took over {timeout:g} s") from error
    completed = Completed(argv=words, code=done.returncode, out=done.stdout, err=done.stderr)
    if check and completed.code != 0:
        raise CommandError(completed)
    return completed


def interact(argv: Sequence[str | Path]) -> None:
    """Run a program that talks to whoever sits here, such as an editor, to its end.

    Args:
        argv: program and arguments, passed on as they are.

    Raises:
        GearError: it is not there, or failed.
    """
    words = tuple(str(word) for word in argv)
    try:
        code = subprocess.call(words)
    except OSError as error:
        raise GearError(
            f"{words[0]} cannot be started: {error.strerror}",
            remedy="EDITOR names the program to edit with",
            code=Exit.MISSING,
        ) from error
    if code != 0:
        raise GearError(f"`{words[0]}` {_ended(code)}", remedy="nothing was changed")


def follow(
    argv: Sequence[str | Path],
    heard: Callable[[str], None],
    *,
    env: Mapping[str, str] | None = None,
    timeout: float = 60.0,
    enough: Callable[[], bool] | None = None,
) -> Completed:
    """Run a program to its end, and tell each line of what it says as it comes.

    Args:
        argv: program and arguments, passed on as they are.
        heard: told the lines, of both outputs, from a thread of its own.
        env: its whole environment; default this process's own.
        timeout: seconds after which it is killed.
        enough: asked now and then; once it says yes, the program is killed.

    Returns:
        How it ended, with all that it said as `err`.

    Raises:
        CommandError: it took too long.
        GearError: it is not there.
    """
    words = tuple(str(word) for word in argv)
    try:
        started = subprocess.Popen(
            words,
            env={**(os.environ if env is None else env), MARK: CALLER},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise _absent(words) from error
    said: list[str] = []
    telling = threading.Thread(target=_tell, args=(started.stdout, said, heard), daemon=True)
    telling.start()
    end = time.monotonic() + timeout
    ended = False
    try:
        while telling.is_alive() and not ended and (left := end - time.monotonic()) > 0:
            telling.join(left if enough is None else min(left, LOOK_EVERY))
            ended = enough is not None and telling.is_alive() and enough()
        late = telling.is_alive() and not ended
    finally:
        if telling.is_alive():
            started.kill()
            telling.join(1.0)  # a child of its own may keep the output open
        code = started.wait()
    done = Completed(argv=words, code=-1 if late else code, out="", err="".join(said))
    if late:
        raise CommandError(done, f"`{shlex.join(words)}` took over {timeout:g} s")
    return done


@contextmanager
def reading(
    argv: Sequence[str | Path],
    stdin: IO[bytes],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[IO[bytes]]:
    """Run a program while its output is read, as bytes; it is killed when the reader has enough.

    Args:
        argv: program and arguments, passed on as they are.
        stdin: an open file, which it reads from where that stands.
        env: its whole environment; default this process's own.
        cwd: its working folder.

    Raises:
        GearError: it is not there.
    """
    words = tuple(str(word) for word in argv)
    try:
        started = subprocess.Popen(
            words,
            env={**(os.environ if env is None else env), MARK: CALLER},
            cwd=cwd,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise _absent(words) from error
    try:
        assert started.stdout is not None  # noqa: S101 - a pipe was asked for
        with started.stdout as out:
            yield out
    finally:
        started.kill()
        started.wait()


def _tell(lines: IO[str] | None, said: list[str], heard: Callable[[str], None]) -> None:
    for line in lines or ():
        said.append(line)
        heard(line.rstrip("\n"))


def _absent(words: Sequence[str]) -> GearError:
    return GearError(f"{words[0]} is not there", remedy="run `gear doctor`", code=Exit.MISSING)
