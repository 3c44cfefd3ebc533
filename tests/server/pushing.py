"""A host of its own, an app on it, and a clone that is pushed from, as a user has them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geartrain.engine.docker.host import DockerHost
from geartrain.engine.memory import Memory
from tests.cli.running import (
    PATIENCE,
    Done,
    base_environment,
    copy,
    processes,
    request,
    without_tails,
)
from tests.engine.docker.hosts import clean
from tests.ports import free_port

GEAR = (sys.executable, "-m", "geartrain")
NOBODY = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}


@dataclass
class HostFolder:
    """A host with the embedded engine, in a folder of its own."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        own = {"GEAR_HOST": str(self.folder), "GEAR_USER": "alice"}
        return {**base_environment(), **own, **NOBODY, **self.env, **(more or {})}

    def gear(
        self, *words: str | Path, code: int | None = 0, stdin: str | None = None,
        cwd: Path | None = None, env: Mapping[str, str] | None = None,
    ) -> Done:  # fmt: skip
        done = subprocess.run(
            [*GEAR, *map(str, words)], input=stdin, capture_output=True, text=True,
            env=self.environment(env), cwd=cwd or self.folder.parent, timeout=2 * PATIENCE,
            check=False,
        )  # fmt: skip
        assert "Traceback" not in without_tails(done.stderr), done.stderr
        said = f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert code is None or done.returncode == code, said
        return Done(done.returncode, done.stdout, done.stderr)

    def create(self, name: str, *words: str) -> Path:
        return Path(self.gear("app", "create", name, "--json", *words).json()["remote"])

    def finish(self) -> None:
        """Stop every app, and see that nothing is left of it."""
        from geartrain.engine.embedded.supervisor.client import connect
        from geartrain.engine.embedded.supervisor.stale import end_leftovers

        apps = list((self.folder / "apps").iterdir()) if (self.folder / "apps").exists() else []
        for app in apps:
            Memory(self.folder, app.name).forget()
            (app / "app.json").unlink(missing_ok=True)  # who still watches it after a push goes
            if client := connect(app / "run"):
                client.ask("shutdown")
                client.ended()
            elif (app / "run").exists():
                end_leftovers(app / "run")
            # PostgreSQL's user may be another one, with a folder elsewhere.
            if (app / "data").is_symlink():
                subprocess.run(["rm", "-rf", (app / "data").resolve()], check=False)
        end = time.monotonic() + PATIENCE
        while (left := processes(self.folder)) and time.monotonic() < end:
            time.sleep(0.02)
        assert not left, left


@dataclass
class Clone:
    """A working copy whose remote `live` is an app of a host."""

    folder: Path
    host: HostFolder
    app: str
    port: int

    def git(
        self, *words: str | Path, code: int | None = 0, env: Mapping[str, str] | None = None
    ) -> Done:
        done = subprocess.run(
            ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.com", *map(str, words)],
            capture_output=True, text=True, errors="replace", cwd=self.folder,
            env=self.host.environment(env), timeout=2 * PATIENCE, check=False,
        )  # fmt: skip
        assert code is None or done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return Done(done.returncode, done.stdout, without_remote(done.stderr))

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a push and do not wait for it."""
        return subprocess.Popen(
            ["git", "push", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", cwd=self.folder,
            env=self.host.environment(env), start_new_session=True,
        )  # fmt: skip

    def commit(self, message: str = "a change") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD").out.strip()

    def push(self, *words: str, code: int | None = 0, **how: Any) -> Done:
        done = self.git("push", "live", *(words or ("main",)), code=code, **how)
        assert "Traceback" not in without_tails(done.err), done.err
        return done

    def refused(self, *words: str, **how: Any) -> str:
        """Push what must be refused; what is said."""
        done = self.push(*words, code=1, **how)
        assert "pre-receive hook declined" in done.err, done.err
        return done.err

    def version(self, text: str) -> str:
        """The one-line change, committed."""
        (self.folder / "VERSION").write_text(f"{text}\n")
        return self.commit(f"version {text}")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def remote(self, ref: str = "refs/heads/main") -> str:
        """The commit that a ref of the app's repository is at, or ""."""
        return self.git("ls-remote", "live", ref).out.partition("\t")[0]

    def gear(self, *words: str | Path, **how: Any) -> Done:
        return self.host.gear(*words, **{"cwd": self.folder, **how})

    def get(self, path: str = "/") -> tuple[int, str]:
        return request("GET", path, self.port)

    def body(self, path: str = "/") -> str:
        status, body = self.get(path)
        return body if status == 200 else ""

    @property
    def state(self) -> Path:
        return self.host.folder / "apps" / self.app

    def events(self) -> list[dict[str, Any]]:
        """The history, the newest first, as anybody reads it who fetched it."""
        names = self.git("ls-remote", "live", "refs/gear/log").out
        if not names:
            return []
        self.git("fetch", "--quiet", "live", "+refs/gear/log:refs/gear/log")
        commits = self.git("log", "--format=%H", "refs/gear/log").out.split()
        found = []
        for one in commits:
            with contextlib.suppress(AssertionError):
                found.append(json.loads(self.git("cat-file", "blob", f"{one}:event.json").out))
        return found

    def instances(self) -> list[str]:
        """What runs, by name."""
        from geartrain.engine.embedded.supervisor.client import connect

        client = connect(self.state / "run")
        if client is None:
            return []
        with client:
            return sorted(one["name"] for one in client.ask("observe")["instances"])


@contextlib.contextmanager
def on_docker(place: Path, app: str, source: str = "hello") -> Iterator[Clone]:
    """An app on a host with Docker; everything of it is gone afterwards."""
    host = HostFolder(place / "host")
    host.gear("host", "init", "--engine", "docker")
    clone = clone_of(host, own_name(app), place, source)
    try:
        yield clone
    finally:
        host.gear("destroy", clone.app, "--data", "--yes", code=None)
        clean(DockerHost(host.folder))


def own_name(app: str) -> str:
    """A name that no other app on this machine has: Docker is asked by parts of it."""
    return f"{app}{uuid.uuid4().hex[:8]}"


def clone_of(host: HostFolder, app: str, parent: Path, source: str = "hello") -> Clone:
    """An app on a host and a working copy of one of `tests/apps`."""
    folder, port = parent / f"{app}-clone", free_port()
    copy(source, folder) if source else folder.mkdir()
    remote = host.create(app)
    host.gear("app", "env", app, f"EDGE_PORT={port}", "STOP_GRACE=2s")
    made = Clone(folder, host, app, port)
    made.git("init", "--quiet", "--initial-branch=main")
    made.git("remote", "add", "live", str(remote))
    if source:
        made.commit("first")
    return made


def hooks(shop: Clone) -> list[int]:
    """The processes of a push at this app: the hook and the one that releases, oldest first."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                began = (entry / "stat").read_text().rpartition(")")[2].split()[19]
            except OSError:
                continue
            if b"geartrain.cli.receive" in words and os.fsencode(shop.host.folder) in words:
                found.append((int(began), int(entry.name)))
    return [pid for _, pid in sorted(found)]


def without_remote(text: str) -> str:
    """What the other side said, as it said it."""
    return "\n".join(line.removeprefix("remote: ").rstrip() for line in text.splitlines())
