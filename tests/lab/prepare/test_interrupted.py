"""`gear server prepare` interrupted at each step, and run again: it ends as if nothing had been."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

import pytest

from tests.lab.prepare.bare import ROOT, Bare
from tests.lab.prepare.cutting import Cutter
from tests.lab.prepare.state import state
from tests.lab.table import Table

EVERY = 1 if os.environ.get("GEAR_KILLS") == "full" else 3
MOST = 120  # runs; each gets at least one command further than the one before


def cut_power_while_packages_are_installed(machine: Bare) -> None:
    running = machine.laptop.start(sys.executable, "-m", "geartrain", "server", "prepare", ROOT)
    try:
        seen = "ls /var/lib/dpkg/info/docker.io.list >/dev/null 2>&1 && pgrep -x dpkg"
        wait = f"timeout 300 sh -c 'until {seen}; do sleep 0.05; done'"
        assert machine.laptop.root(wait, code=None).code == 0, "dpkg unpacks"
        machine.server.cut_power()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.communicate(timeout=60)
    machine.server.boot()
    machine.on()
    todo = machine.prepare("--check", code=4).out
    assert "packages: " in todo


def test_interrupted_at_each_step_it_ends_the_same(
    bare: Bare, request: pytest.FixtureRequest
) -> None:
    cut_power_while_packages_are_installed(bare)
    cutter = Cutter(bare.laptop, EVERY)
    words = (*cutter.before, sys.executable, "-m", "geartrain", "server", "prepare", ROOT)
    killed = 0
    while (done := bare.laptop.run(*words, code=None)).code != 0:
        assert done.code == -signal.SIGKILL, done.said
        killed += 1
        assert killed < MOST, cutter.lines("after")
    after, middle = cutter.lines("after"), cutter.lines("middle")
    assert killed == len(after) + len(middle)
    table = Table("prepare, interrupted", "times")
    table.add("power cut in the middle of dpkg", "1")
    table.add("commands that change something", str(len(cutter.lines("seen"))))
    table.add("killed after one of them", str(len(after)))
    table.add("killed, and the connection cut, in the middle of one", str(len(middle)))
    table.show()
    assert {"dpkg", "uv"} <= set(cutter.lines("seen-in-the-middle")), "what takes long was seen"
    assert bare.nothing_to_do(), bare.prepare("--check", code=None).out
    booted: Bare = request.getfixturevalue("booted")  # prepared without an interruption
    assert state(bare) == state(booted)


@pytest.mark.parametrize("status", ["half-installed", "unpacked"])
def test_a_package_of_which_half_is_there_is_installed_anew(bare: Bare, status: str) -> None:
    """As a power cut between two of dpkg's files leaves it: dpkg touches it no more by itself."""
    name = "libnfnetlink0"  # iptables needs it
    bare.prepare()
    half = f"/^Package: {name}$/,/^$/ s/^Status: .*/Status: install reinstreq {status}/"
    bare.sh(f"rm $(dpkg -L {name} | grep '[.]so') && sed -i '{half}' /var/lib/dpkg/status")
    assert "packages: finish what dpkg was interrupted in" in bare.prepare("--check", code=4).out
    bare.prepare()
    assert bare.nothing_to_do()
    assert bare.sh(f"dpkg --verify {name}; dpkg --audit") == ""
