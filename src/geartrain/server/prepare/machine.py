"""A machine that is prepared, as root: this one, or one that the user's own `ssh` reaches."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from geartrain.errors import Exit, GearError
from geartrain.run import CommandError, Completed, run

SSH_FAILED = 255  # ssh(1): its own failure, not the command's
FIRST_ANSWER = 120.0  # seconds, in which somebody may type a passphrase


class Machine:
    """Runs commands as root.

    Args:
        name: what people call it.
        before: what a command line is given to, such as `ssh HOST`; none on this machine.
    """

    def __init__(self, name: str, before: tuple[str, ...] = ()) -> None:
        self.name = name
        self._before = before
        self._root: tuple[str, ...] = ()

    @property
    def is_here(self) -> bool:
        """True for the machine that this runs on."""
        return not self._before

    def become_root(self) -> None:
        """See to it that commands are root's: as they are, or by sudo without a password.

        Raises:
            GearError: neither.
        """
        if self.run("id", "-u", timeout=FIRST_ANSWER).out.strip() == "0":
            return
        if not self._before:
            raise GearError(
                "preparing a server takes root",
                remedy="sudo gear server prepare --local",
                code=Exit.MISSING,
            )
        self._root = ("sudo", "-n", "--")
        if self.run("id", "-u", check=False).out.strip() != "0":
            raise GearError(
                "that user is not root, and sudo asks for a password or is not there",
                where=self.name,
                remedy="name a user who is root, or may use sudo without a password",
                code=Exit.MISSING,
            )

    def run(
        self,
        *argv: str | PurePosixPath,
        stdin: str | Path | None = None,
        timeout: float = 60.0,
        check: bool = True,
    ) -> Completed:
        """Run a program there.

        Args:
            argv: program and arguments.
            stdin: text for its input, or a file of this machine.
            timeout: seconds.
            check: raise when it fails.

        Raises:
            CommandError: it failed and `check` is set, or took too long.
            GearError: ssh did not reach the machine.
        """
        words = [*self._root, *map(str, argv)]
        # The shell at the other end reads one line; here there is none.
        line = [*self._before, shlex.join(words)] if self._before else words
        done = run(line, stdin=stdin, timeout=timeout, check=False)
        if self._before and done.code == SSH_FAILED:
            raise GearError(
                f"ssh did not reach {self.name}, or lost it",
                tail=done.err.strip().splitlines()[-5:],
                remedy=f"see that `ssh {self.name}` works, then run the same again",
            )
        told = Completed(argv=tuple(words), code=done.code, out=done.out, err=done.err)
        if check and told.code != 0:
            raise CommandError(told)
        return told

    def says(self, *argv: str | PurePosixPath) -> str:
        """What a program prints, stripped; "" when it fails or is not there."""
        if not self._before and not self._root:
            try:
                done = self.run(*argv, check=False)
            except GearError as error:
                if error.code is Exit.MISSING:
                    return ""
                raise
        else:
            done = self.run(*argv, check=False)
        return done.out.strip() if done.code == 0 else ""

    def read(self, path: PurePosixPath) -> str | None:
        """A file's text, or None."""
        done = self.run("cat", "--", path, check=False)
        return done.out if done.code == 0 else None

    def write(self, path: PurePosixPath, text: str, mode: int = 0o644) -> None:
        """Replace a file of root's, with its folder, in one step."""
        fresh = path.with_name(f".{path.name}.new")
        self.run("install", "-D", "-m", f"{mode:04o}", "/dev/stdin", fresh, stdin=text)
        self.run("sync", fresh)
        self.run("mv", "-T", "--", fresh, path)

    def link(self, path: PurePosixPath, to: PurePosixPath) -> None:
        """Have a symbolic link lead somewhere, in one step."""
        fresh = path.with_name(f".{path.name}.new")
        self.run("ln", "-sfnT", "--", to, fresh)
        self.run("mv", "-T", "--", fresh, path)


@contextmanager
def over_ssh(host: str) -> Iterator[Machine]:
    """A machine that `ssh` reaches, by one connection for all commands.

    Args:
        host: what ssh is given: `root@203.0.113.7`, or a name of the user's settings.
    """
    # A socket's path is short (unix(7)), and TMPDIR may be long.
    with tempfile.TemporaryDirectory(prefix="gear-ssh-", dir="/tmp") as folder:
        shared = ("-o", "ControlMaster=auto", "-o", f"ControlPath={folder}/%C")
        alive = ("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4")
        ssh = ("ssh", *shared, "-o", "ControlPersist=60", *alive, "-T")
        try:
            yield Machine(host, (*ssh, "--", host))
        finally:
            if any(os.scandir(folder)):
                run((*ssh, "-O", "exit", "--", host), check=False)
