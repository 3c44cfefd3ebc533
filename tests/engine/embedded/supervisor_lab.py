"""A supervisor of its own for a test, and small programs for it to keep."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from geartrain.engine.descent import descendants, state
from geartrain.engine.embedded.supervisor.client import Client, connect, ensure
from geartrain.engine.embedded.supervisor.spec import Probe, ProbeKind, Spec

_numbers = itertools.count(2)
PATIENCE = 60.0  # seconds for what takes a moment on an idle machine
SLEEPS = "import time; time.sleep(100)"
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " print('deaf', flush=True); time.sleep(100)"
)


STAYED = 0.5  # seconds, by far more than what a program stays for before it is ready


def until_there(flag: Path) -> str:
    """A program that ends well once a file is there."""
    return f"import os, time\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.01)"


def address() -> str:
    """A loopback address that no other test uses."""
    # Nor another run of the tests beside this one.
    return f"127.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}.{next(_numbers)}"


def eventually(true: Callable[[], Any], within: float = PATIENCE) -> Any:
    """Wait for something, and return it."""
    end = time.monotonic() + within
    while not (found := true()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)
    return found


def alive(pids: Iterable[int]) -> list[int]:
    return [pid for pid in pids if state(pid) not in ("", "Z")]


def python(name: str, code: str, **rest: Any) -> Spec:
    """A Python program, ready when it has stayed for a moment."""
    values: dict[str, Any] = {
        "name": name,
        "service": name.partition(".")[0],
        "role": "worker",
        "argv": (sys.executable, "-S", "-E", "-c", code),
        "cwd": "/",
        "env": {"PATH": os.defpath},
        "release": 1,
        "probe": Probe(kind=ProbeKind.NONE, settle=0.05),
        "stop_grace": 2.0,
    }
    return Spec(**values | rest)


def serving(name: str, where: str, reply: str = "HTTP/1.0 200 OK", **rest: Any) -> Spec:
    """A program that answers HTTP."""
    code = (
        "import socket\n"
        f"s = socket.create_server(({where!r}, 8080))\n"
        "while True:\n"
        "    c, _ = s.accept(); c.recv(9999)\n"
        f"    c.sendall({reply!r}.encode() + b'\\r\\n\\r\\n'); c.close()\n"
    )
    probe = Probe(kind=ProbeKind.HTTP, address=where, port=8080, path="/")
    return python(name, code, **{"address": where, "port": 8080, "probe": probe} | rest)


class Lab:
    """A host's folders with a supervisor."""

    def __init__(self, folder: Path) -> None:
        self.run, self.logs = folder / "run", folder / "logs"
        for one in (self.run, self.logs):
            one.mkdir(parents=True)
        self.client = self.begin()

    def begin(self) -> Client:
        """Start the supervisor where none runs, and talk to it."""
        self.client = ensure(self.run, self.logs)
        return self.client

    def pids(self) -> tuple[int, int]:
        """The guard and the supervisor."""
        guard, supervisor = (self.run / "pids").read_text().split()
        return int(guard), int(supervisor)

    def everything(self) -> list[int]:
        """Every process of this host."""
        guard, _ = self.pids()
        return [guard, *descendants(guard)]

    def start(self, *specs: Spec) -> None:
        self.client.start(specs)

    def ready(self, *names: str, **rest: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.ask("ready", names=names, **rest)["instances"]
        return found

    def see(self, name: str) -> dict[str, Any]:
        """What is told of a process; empty when it is not known."""
        every = self.client.ask("observe")["instances"]
        return next((one for one in every if one["name"] == name), {})

    def until(self, name: str, wanted: str) -> dict[str, Any]:
        """Wait until a process is in a state; what is told of it then."""
        seen: dict[str, Any] = {}

        def there() -> bool:
            nonlocal seen
            seen = self.see(name)
            return seen.get("state") == wanted

        eventually(there)
        return seen

    def log(self, service: str) -> list[str]:
        """The texts of a service's lines, without stamp and name."""
        path = self.logs / f"{service}.log"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [line.split(" ", 2)[2] for line in lines]

    def end(self) -> None:
        """Stop everything, whatever a test did to it."""
        with contextlib.suppress(OSError):
            pids = self.everything()
            if client := connect(self.run):
                client.ask("shutdown")
            eventually(lambda: not alive(pids))
