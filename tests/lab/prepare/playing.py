"""Ansible's own command, on a playbook that `gear server export ansible` wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.lab.laptop import HOST
from tests.lab.prepare.bare import Bare


@dataclass
class Played:
    """How it went: what was said, and Ansible's own counts."""

    said: str
    changed: int
    failed: int


@dataclass
class Ansible:
    """The program, and the folder of the playbook."""

    program: Path
    folder: Path

    def export(self, machine: Bare) -> str:
        return machine.laptop.local("server", "export", "ansible", self.folder).out

    def play(self, machine: Bare, *words: str) -> Played:
        """Play it on a machine, by the ssh of the machine's laptop."""
        settings = (
            f"-F {machine.laptop.folder / 'config'} -o ControlMaster=auto -o ControlPersist=9"
        )
        done = machine.laptop.run(
            "env", f"ANSIBLE_SSH_ARGS={settings}", "ANSIBLE_NOCOLOR=1", "ANSIBLE_PIPELINING=1",
            f"ANSIBLE_HOME={self.folder.parent / 'home'}", "LC_ALL=C.UTF-8",
            self.program, "-i", f"{HOST},", "-u", "root", "--diff", *words,
            self.folder / "geartrain.yml", code=None,
        )  # fmt: skip
        counts = dict(re.findall(r"(\w+)=(\d+)", done.out.partition("PLAY RECAP")[2]))
        assert counts, done.said
        failed = int(counts["failed"]) + int(counts["unreachable"])
        return Played(done.said, int(counts["changed"]), failed)
