"""Who listens where."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from geartrain.engine.listeners import Listener, holder, listeners

CHILD = """
import socket, subprocess, sys
s = socket.socket(int(sys.argv[1])); s.bind((sys.argv[2], 0)); s.listen()
print(s.getsockname()[1], flush=True); sys.stdin.read()
"""
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", *sys.argv[1:]])
"""


@contextmanager
def listening(
    address: str, *, below: bool = False, user: int | None = None
) -> Iterator[tuple[int, int]]:
    """A program that listens on an address: (its pid, the port)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    words = [CHILD, str(int(family)), address]
    argv = [sys.executable, "-c", *([PARENT] if below else []), *words]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, user=user
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.pid, int(process.stdout.readline())
        process.stdin.close()


@pytest.mark.parametrize("address", ["127.44.0.1", "0.0.0.0", "::"])
def test_a_listener_of_a_grandchild(address: str) -> None:
    with listening(address, below=True) as (pid, port):
        (found,) = listeners(pid)
        assert (found.address, found.port) == (address, port)
        assert found.pid != pid
        assert found.wildcard == (address != "127.44.0.1")


def test_a_connection_is_no_listener() -> None:
    with listening("127.44.0.2") as (pid, port), socket.create_connection(("127.44.0.2", port)):
        assert listeners(pid) == (Listener(address="127.44.0.2", port=port, pid=pid),)


def test_a_process_that_has_ended_listens_nowhere() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert listeners(process.pid) == ()


@pytest.mark.parametrize("asked", ["127.44.0.3", "0.0.0.0"])
def test_the_holder_of_a_port(asked: str) -> None:
    with listening("127.44.0.3") as (pid, port):
        found = holder(asked, port)
        assert found is not None
        assert found.pid == pid
        assert f"(pid {pid}, user " in str(found)
        assert "python" in found.command


def test_a_wildcard_holds_every_address() -> None:
    with listening("0.0.0.0") as (pid, port):
        found = holder("127.44.0.4", port)
        assert found is not None
        assert found.pid == pid


def test_another_address_is_free() -> None:
    with listening("127.44.0.5") as (_, port):
        assert holder("127.44.0.6", port) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="root becomes another user here")
def test_another_users_process_is_said_to_be_one() -> None:
    with listening("127.44.0.7") as (_, port):
        pid = os.fork()
        if pid == 0:  # a child without rights to look into root's processes
            os.setgid(65534)
            os.setuid(65534)
            found = holder("127.44.0.7", port)
            os._exit(0 if str(found) == "another user's process (user root)" else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_it_is_quick() -> None:
    with listening("127.44.0.8") as (pid, port):
        times = []
        for _ in range(5):
            start = time.process_time()  # others may keep it from its work meanwhile
            assert listeners(pid)
            assert holder("127.44.0.8", port)
            times.append(time.process_time() - start)
    assert min(times) < 0.04
