"""Somebody's laptop: an SSH key, settings of `ssh`, and clones of apps. All goes over SSH."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.running import SOURCE, Done
from tests.lab.server import Server
from tests.server.pushing import NOBODY, without_remote

HOST = "server"  # as the laptop's settings of ssh call the machine
LIMIT = 600.0  # seconds for any command


class Laptop:
    """One key for all users of one server.

    Args:
        folder: its home, empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "key"
        self.server: Server | None = None
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True
        )
        (folder / "bin").mkdir()
        own = folder / "bin" / "ssh"
        ssh = shutil.which("ssh")
        own.write_text(f'#!/bin/sh\nexec {ssh} -F {folder / "config"} "$@"\n')
        own.chmod(0o755)

    @property
    def public(self) -> Path:
        return self.folder / "key.pub"

    def know(self, server: Server) -> None:
        """Where the server is, as after each boot; its name and its key stay the same."""
        self.server = server
        (self.folder / "config").write_text(
            f"Host {HOST}\n  HostName {server.address}\n  HostKeyAlias {HOST}\n"
            f"  IdentityFile {self.key}\n  IdentitiesOnly yes\n  BatchMode yes\n"
            f"  StrictHostKeyChecking accept-new\n  UserKnownHostsFile {self.folder / 'known'}\n"
            "  ConnectTimeout 5\n  LogLevel ERROR\n"
        )

    @property
    def environment(self) -> dict[str, str]:
        """This process's, with the laptop's home and `ssh`."""
        mine = {"HOME": str(self.folder), "PYTHONPATH": str(SOURCE), **NOBODY}
        return {**os.environ, **mine, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}

    def start(self, *words: str | Path, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start a command and do not wait for it; both outputs come together."""
        return subprocess.Popen(
            [str(word) for word in words], cwd=cwd or self.folder, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", start_new_session=True,
        )  # fmt: skip

    def run(
        self, *words: str | Path, code: int | None = 0, stdin: str = "", cwd: Path | None = None,
        timeout: float = LIMIT,
    ) -> Done:  # fmt: skip
        """A command to its end; `code` is what it must exit with (None: anything)."""
        done = subprocess.run(
            [str(word) for word in words], cwd=cwd or self.folder, env=self.environment,
            input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout,
            check=False,
        )  # fmt: skip
        said = f"{words}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, said
        assert code is None or done.returncode == code, said
        return Done(done.returncode, done.stdout, without_remote(done.stderr))

    def local(self, *words: str | Path, **how: Any) -> Done:
        """`gear` of this laptop."""
        return self.run(sys.executable, "-m", "geartrain", *words, **how)

    def gear(self, *words: str | Path, user: str = "gear", **how: Any) -> Done:
        """`gear -H`: the command on the host."""
        return self.local("-H", f"{user}@{HOST}", *words, **how)

    def json(self, *words: str) -> Any:
        """What a command on the host answers with."""
        return self.gear(*words, "--json").json()

    def root(self, *words: str, **how: Any) -> Done:
        """A command line for root's shell on the server, by root's own key."""
        return self.run("ssh", f"root@{HOST}", "--", *words, **how)


class Clone:
    """A working copy whose remote `live` is an app of the server.

    Args:
        laptop: whose it is.
        app: the app's name, made on the host already.
        source: a folder that it starts from.
    """

    def __init__(self, laptop: Laptop, app: str, source: Path) -> None:
        self.laptop = laptop
        self.app = app
        self.folder = laptop.folder / app
        shutil.copytree(source, self.folder)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "live", f"gear@{HOST}:{app}")

    def git(self, *words: str | Path, **how: Any) -> Done:
        who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
        return self.laptop.run("git", *who, *words, cwd=self.folder, **how)

    def change(self, name: str, text: str) -> str:
        """Write a file and commit all; the commit."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return self.commit(name)

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").out.strip()

    def push(self, **how: Any) -> Done:
        return self.git("push", "live", "main", **how)

    def remote(self) -> str:
        """The commit that the app's branch is at on the host."""
        return self.git("ls-remote", "live", "refs/heads/main").out.partition("\t")[0]

    def events(self) -> list[dict[str, Any]]:
        """The history, the newest first."""
        return list(self.laptop.json("releases", "--app", self.app)["events"])
