"""Machines that cannot be prepared as they are: one message each, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.running import until
from tests.lab.laptop import HOST
from tests.lab.prepare.bare import ROOT, Bare

EVERYTHING = "dpkg -l; find /etc /opt /usr/local /var/lib/dpkg -newer /run/before -type f"
WEB = "python3 -m http.server {} >/dev/null 2>&1"


@pytest.fixture
def same(bare: Bare) -> Iterator[Bare]:
    """The bare machine, on which nothing may change."""
    bare.sh("touch /run/before")
    before = bare.sh(EVERYTHING)
    yield bare
    assert bare.sh(EVERYTHING) == before


def refused(machine: Bare, *, target: str = ROOT, code: int = 4) -> str:
    """What is said, in one message."""
    done = machine.prepare(target=target, code=code)
    assert done.out == ""
    said = done.err.strip().splitlines()
    assert len(said) == 2, said
    assert said[1].startswith("  → "), said
    return done.err


def test_another_system(same: Bare) -> None:
    older = "s/^VERSION_ID=.*/VERSION_ID=11/; s/^PRETTY_NAME=.*/PRETTY_NAME=Older/"
    same.sh(f"sed '{older}' /etc/os-release > /run/other;"
            " mount --bind /run/other /usr/lib/os-release")  # fmt: skip
    try:
        said = refused(same)
    finally:
        same.sh("umount /usr/lib/os-release")
    assert "Older cannot be prepared" in said
    assert "these can: Debian 12, Debian 13, Ubuntu 22.04, Ubuntu 24.04" in said


@pytest.mark.parametrize("port", [80, 443])
def test_a_port_is_taken_by_a_program(same: Bare, port: int) -> None:
    same.sh(f"setsid {WEB.format(port)} </dev/null &")
    until(lambda: same.sh(f"ss -Hltn sport = :{port}"), "it listens")
    pid = same.sh("pgrep -f http.server").split()[0]
    try:
        said = refused(same)
    finally:
        same.sh(f"kill {pid}")
    assert f"port {port} is held by python3 (pid {pid})" in said
    until(lambda: not same.sh(f"ss -Hltn sport = :{port}"), "it has ended")


def test_a_port_is_taken_by_a_service(same: Bare) -> None:
    same.sh("systemd-run --unit=mine python3 -m http.server 80")
    until(lambda: same.sh("ss -Hltn sport = :80"), "it listens")
    try:
        said = refused(same)
    finally:
        same.sh("systemctl stop mine")
    assert "port 80 is held by python3 (pid " in said
    assert "systemctl disable --now mine.service" in said


@pytest.mark.parametrize(
    ("shift", "words"),
    [("-3 hours", "is 3 hours behind"), ("+40 days", "is 40 days ahead of"),
     ("-10 minutes", "is 10 minutes behind")],
)  # fmt: skip
def test_a_clock_that_is_wrong(same: Bare, shift: str, words: str) -> None:
    # All machines here have one clock, so `date` tells a wrong time.
    fake = f"#!/bin/sh\nexec /usr/bin/date --date='{shift}' \"$@\"\n"
    same.sh("cat > /usr/local/bin/date; chmod 755 /usr/local/bin/date", stdin=fake)
    try:
        said = refused(same)
    finally:
        same.sh("rm /usr/local/bin/date")
    assert f"its clock {words}" in said
    assert "timedatectl set-ntp true" in said


def test_a_user_without_sudo(bare: Bare) -> None:
    bare.sh("useradd -m plain && install -d -o plain /home/plain/.ssh &&"
            " install -o plain /root/.ssh/authorized_keys /home/plain/.ssh/")  # fmt: skip
    try:
        said = refused(bare, target=f"plain@{HOST}")
    finally:
        bare.sh("userdel --remove plain 2>/dev/null")
    assert "sudo asks for a password or is not there" in said


def test_nobody_answers(same: Bare) -> None:
    said = same.prepare(target=f"nobody@{HOST}", code=1).err
    assert "ssh did not reach" in said


def test_no_network_for_packages(bare: Bare) -> None:
    bare.sh("echo nameserver 127.0.0.9 > /run/resolv; mount --bind /run/resolv /etc/resolv.conf")
    try:
        done = bare.prepare(code=4)
    finally:
        bare.sh("umount /etc/resolv.conf")
    assert "the machine does not reach its packages: " in done.err
    assert "Temporary failure resolving" in done.err
    assert "apt-get update" in done.err
    assert "Traceback" not in done.said


def test_no_systemd(bare: Bare) -> None:
    bare.sh("mv /run/systemd/system /run/away")
    try:
        said = refused(bare)
    finally:
        bare.sh("mv /run/away /run/systemd/system")
    assert "systemd does not run this machine" in said
