"""A host that is reached over SSH alone: Debian's sshd, keys with roles, a push and commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.running import copy
from tests.dockerd import docker
from tests.machine.docker import Machine
from tests.machine.test_fresh import Clone, ask, clone, install, with_venv

NewMachine = Callable[[], Machine]


@dataclass
class Laptop:
    """Somebody with an SSH key, and a clone of an app."""

    folder: Path
    host: Clone
    address: str

    @property
    def user(self) -> str:
        return f"dev@{self.address}"

    @property
    def env(self) -> dict[str, str]:
        mine = {"GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(self.folder)}
        return {**os.environ, **mine, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}

    def make_key(self) -> str:
        """A key, and an `ssh` that uses it; the public half."""
        key = self.folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        (self.folder / "bin").mkdir()
        own = self.folder / "bin" / "ssh"
        own.write_text(
            f"#!/bin/sh\nexec /usr/bin/ssh -F /dev/null -i {key} -o BatchMode=yes"
            f" -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={self.folder}/known"
            ' -o LogLevel=ERROR "$@"\n'
        )
        own.chmod(0o755)
        return (self.folder / "key.pub").read_text()

    def gear(self, *words: str, code: int | None = 0) -> str:
        """The command on the host; what it says."""
        return self.run(
            sys.executable, "-m", "geartrain", "-H", self.user, *words, code=code
        ).stdout

    def run(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            words, cwd=self.folder / "hello", env=self.env, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=300, check=False,
        )  # fmt: skip
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done

    def git(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        return self.run("git", "-c", "user.name=A", "-c", "user.email=a@example.com", *words,
                        code=code)  # fmt: skip


@pytest.fixture
def laptop(tmp_path: Path, new_machine: NewMachine) -> Laptop:
    machine = with_venv(new_machine())
    install(machine, ["apt-get", "install", "--no-install-recommends", "openssh-server"])
    address = docker(
        "inspect",
        "--format",
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        machine.id,
    )
    host = clone(machine, "dev")
    made = Laptop(tmp_path, host, address)
    copy("hello", tmp_path / "hello")
    host.works("./gear", "host", "init", "--engine", "embedded")
    public = made.make_key()
    machine.put(tmp_path / "key.pub", "/srv/alice.pub")
    host.works("sh", "-c", "./gear keys add alice --role admin < /srv/alice.pub")
    assert public.split()[1] in host.works("cat", "/home/dev/.ssh/authorized_keys").stdout
    started = machine.run("root", "/", ["sh", "-c", "mkdir -p /run/sshd && /usr/sbin/sshd"])
    assert started.returncode == 0, started.stderr
    return made


def test_a_host_is_used_over_ssh_alone(laptop: Laptop) -> None:
    made = laptop.gear("app", "create", "shop")
    assert f"git remote add live {laptop.user}:shop" in made
    laptop.gear("app", "env", "shop", "EDGE_PORT=8080", "STOP_GRACE=2s")
    laptop.git("init", "--quiet", "--initial-branch=main")
    laptop.git("remote", "add", "live", f"{laptop.user}:shop")
    laptop.git("add", "--all")
    laptop.git("commit", "--quiet", "-m", "first")
    pushed = laptop.git("push", "live", "main").stderr
    assert "release 1 is live" in pushed
    assert ask(laptop.host, "http://127.0.0.1:8080/").endswith("hello 1\n\n")

    assert '"by": "alice"' in laptop.gear("releases", "--json")  # the app is the remote's
    assert laptop.gear("run", "web", "sh", "-c", "cat VERSION; exit 7", code=7) == "1\n"

    ssh = laptop.run("ssh", laptop.user, code=1).stderr
    assert "there is no shell here" in ssh
    for words in (
        "id",
        "sh -c id",
        "git-receive-pack shop; id",
        "gear ps; id",
        "scp -f /etc/passwd",
    ):
        refused = laptop.run("ssh", laptop.user, words, code=None)
        assert refused.returncode != 0
        assert "uid=" not in refused.stdout
    tunnel = laptop.run("ssh", "-W", "127.0.0.1:8080", laptop.user, code=None)
    assert tunnel.returncode != 0
    assert "hello" not in tunnel.stdout

    laptop.host.works("./gear", "keys", "remove", "alice")
    assert laptop.run("ssh", laptop.user, "gear ps", code=255).stdout == ""
