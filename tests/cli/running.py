"""A project folder with `gear` at work in it, as a user has it: processes, pipes, terminals."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import geartrain

APPS = Path(__file__).parent.parent / "apps"
SOURCE = Path(geartrain.__file__).parents[1]
GEAR = (sys.executable, "-m", "geartrain")
PATIENCE = 60.0  # seconds for what takes one on an idle machine
ESCAPE = "\x1b["
OWN_VARIABLES = ("GEAR_", "COMPOSE_", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "_GEAR", "PYTEST")

T = TypeVar("T")


def base_environment() -> dict[str, str]:
    """This environment without what would change the answers."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(OWN_VARIABLES)}
    return kept | {"PYTHONPATH": str(SOURCE), "TERM": "xterm-256color"}


def until(condition: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """Wait for a condition and return what it returned."""
    end = time.monotonic() + patience
    while not (seen := condition()):
        assert time.monotonic() < end, f"not within {patience:g} s: {what}"
        time.sleep(0.01)
    return seen


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err

    def json(self) -> Any:
        """What a program reads: stdout, and nothing beside it."""
        return json.loads(self.out)


@dataclass
class Project:
    """A folder with a Compose file.

    `user` and `python` are for the tests that act as somebody else.
    """

    folder: Path
    port: int
    env: dict[str, str] = field(default_factory=dict)
    user: int | None = None
    python: tuple[str, ...] = GEAR

    def environment(self, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
        merged = {**base_environment(), "EDGE_PORT": str(self.port), **self.env, **(more or {})}
        return {key: value for key, value in merged.items() if value is not None}

    def start(
        self, *words: str | Path, env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None, **how: Any,
    ) -> subprocess.Popen[str]:  # fmt: skip
        """Start `gear` and do not wait for it."""
        if self.user is not None:
            how |= {"user": self.user, "group": self.user, "extra_groups": []}
        return subprocess.Popen(
            [*self.python, *map(str, words)],
            cwd=cwd or self.folder,
            env=self.environment(env),
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
               "text": True, "errors": "replace", "start_new_session": True, **how},
        )  # fmt: skip

    def gear(
        self, *words: str | Path, code: int | None = 0, stdin: str | None = None,
        timeout: float = 2 * PATIENCE, **how: Any,
    ) -> Done:  # fmt: skip
        """Run `gear` to its end; `code` is what it must exit with (None: anything)."""
        if stdin is not None:
            how["stdin"] = subprocess.PIPE
        running = self.start(*words, **how)
        try:
            out, err = running.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            running.kill()
            out, err = running.communicate()
            raise AssertionError(f"gear {words} takes over {timeout:g} s\n{out}\n{err}") from None
        done = Done(running.returncode, out or "", err or "")
        if words[:1] not in (("exec",), ("run",), ("logs",)):  # those hand on what an app says
            assert "Traceback" not in without_tails(done.err), done.err
        assert code is None or done.code == code, f"exit code {done.code}\n{done.out}\n{done.err}"
        return done

    def up(self, *words: str | Path, **how: Any) -> Done:
        return self.gear("up", "-d", *words, **how)

    def down(self, *words: str, **how: Any) -> Done:
        return self.gear("down", *words, **how)

    def instances(self) -> list[dict[str, Any]]:
        """What runs, or nothing when nothing answers."""
        done = self.gear("ps", "--json", code=None)
        return list(done.json()["instances"]) if done.out else []

    def pids(self) -> tuple[int, int]:
        """The guard and the supervisor."""
        guard, supervisor = (self.folder / ".gear" / "run" / "pids").read_text().split()
        return int(guard), int(supervisor)

    def get(self, path: str = "/", port: int | None = None, **headers: str) -> tuple[int, str]:
        """Status and body of one answer through nginx; (0, "") when there is none."""
        return request("GET", path, port or self.port, headers=headers)

    def body(self, path: str = "/") -> str:
        status, body = self.get(path)
        return body if status == 200 else ""

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def logs(self) -> str:
        """Everything that was logged, for the message of a failure."""
        files = sorted((self.folder / ".gear" / "logs").glob("*.log"))
        return "\n".join(f"== {f.name}\n{f.read_text(errors='replace')[-2000:]}" for f in files)

    def tree(self) -> dict[str, bytes]:
        """Every file of the project that is the user's own."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and ".gear" not in path.relative_to(self.folder).parts
        }

    def finish(self) -> None:
        """Stop everything, and see that nothing is left of it."""
        if self.folder.exists() and (self.folder / ".gear" / "host.json").exists():
            self.down("--volumes", "--yes")
        nothing_left(self.folder)


def nothing_left(folder: Path, patience: float = PATIENCE) -> None:
    """No process of the project, and none of its sockets."""
    end = time.monotonic() + patience
    while (left := processes(folder)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not left, left
    run = folder / ".gear" / "run"
    assert not run.exists() or not list(run.iterdir()), list(run.iterdir())


def request(
    method: str, path: str, port: int, body: bytes | None = None,
    headers: Mapping[str, str] | None = None, timeout: float = 10.0,
) -> tuple[int, str]:  # fmt: skip
    """Status and body, over a connection of its own; (0, "") when there is no answer."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        link.request(method, path, body, {**(headers or {}), "Connection": "close"})
        answer = link.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        link.close()


def processes(folder: Path) -> dict[int, str]:
    """Every process that belongs to a project.

    Its folder is in its words or its environment, or, where a program writes
    its title over those (workers of nginx), it works there.
    """
    mark = os.fsencode(folder)
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes()
            works = os.fsencode((entry / "cwd").readlink())
            if mark in works or mark in words or mark in (entry / "environ").read_bytes():
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state not in "ZX":
                    found[int(entry.name)] = words.replace(b"\0", b" ").decode(errors="replace")
    return found


def without_tails(text: str) -> str:
    """What Geartrain itself said: an app's own log lines are indented by four."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("    "))


def copy(app: str, folder: Path) -> Path:
    """Copy one of `tests/apps`."""
    clean = shutil.ignore_patterns("__pycache__", ".gear")
    return Path(shutil.copytree(APPS / app, folder, ignore=clean))


class Terminal:
    """`gear` in a terminal of its own, with what it shows."""

    def __init__(self, project: Project, *words: str | Path, **env: str) -> None:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))

        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = project.start(
            *words, env=env, stdin=slave, stdout=slave, stderr=slave, preexec_fn=take_terminal
        )
        os.close(slave)
        self.master = master
        self.shown = ""

    def read(self, patience: float = 0.0) -> bool:
        """Take what has come. False when the terminal is closed on the other side."""
        if not select.select([self.master], [], [], patience)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)

    def sees(self, text: str, patience: float = PATIENCE) -> str:
        """Wait until a text has been shown."""
        end = time.monotonic() + patience
        while text not in plain(self.shown):
            assert time.monotonic() < end, f"{text!r} is not shown\n{self.shown}"
            assert self.read(0.1) or text in plain(self.shown), f"ended\n{self.shown}"
        return self.shown

    def types(self, text: str) -> None:
        os.write(self.master, text.encode())

    def ctrl_c(self) -> None:
        self.types("\x03")

    def ends(self, patience: float = PATIENCE) -> int:
        """Wait until the command has ended; its exit code."""
        end = time.monotonic() + patience
        while self.process.poll() is None:
            assert time.monotonic() < end, f"still there\n{self.shown}"
            self.read(0.05)
        while self.read(0.05) and select.select([self.master], [], [], 0)[0]:
            pass
        assert "Traceback" not in self.shown, self.shown
        return int(self.process.returncode)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self.master)


def plain(text: str) -> str:
    """Text without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@contextlib.contextmanager
def requests_all_the_while(
    project: Project, path: str = "/"
) -> Iterator[Callable[[], Sequence[tuple[int, str]]]]:
    """Ask again and again; the answers so far come from the function that this yields."""
    import threading

    answers: list[tuple[int, str]] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answers.append(project.get(path))
            stop.wait(0.01)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        until(lambda: answers, "a first answer")
        yield lambda: tuple(answers)
    finally:
        stop.set()
        thread.join()
