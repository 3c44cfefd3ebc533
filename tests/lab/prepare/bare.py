"""A machine that nobody has prepared yet, and a laptop that reaches it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.cli.running import Done, until
from tests.lab.laptop import HOST, Laptop
from tests.lab.server import Server

ROOT = f"root@{HOST}"


class Bare:
    """One of each.

    Args:
        image: the machine's.
        folder: the laptop's home, empty.
    """

    def __init__(self, image: str, folder: Path) -> None:
        self.laptop = Laptop(folder)
        self.server = Server(image, self.laptop.public)
        try:
            self.on()
        except BaseException:
            self.remove()
            raise

    def on(self) -> None:
        """After each boot: where it is now."""
        self.laptop.know(self.server)
        until(lambda: self.laptop.root("true", code=None).code == 0, "sshd answers")
        self.server.is_up()

    def remove(self) -> None:
        self.server.remove()

    def prepare(self, *words: str, target: str = ROOT, **how: Any) -> Done:
        return self.laptop.local("server", "prepare", *words, target, **how)

    def nothing_to_do(self) -> bool:
        """Whether `gear server prepare --check` says so."""
        return self.prepare("--check").out.splitlines()[1:] == ["nothing to do"]

    def sh(self, script: str, code: int | None = 0, stdin: str = "") -> str:
        """A script of root's there; what it prints."""
        return self.laptop.root(script, code=code, stdin=stdin).out


def gear_of(source: Path, *words: str) -> Sequence[str]:
    """The command line of another Geartrain than the one under test.

    Args:
        source: the folder that its package is in.
    """
    return ("env", f"PYTHONPATH={source}", sys.executable, "-m", "geartrain", *words)
