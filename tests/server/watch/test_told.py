"""What is told to systemd and to its journal, heard at sockets that stand for theirs."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from geartrain.engine.docker.jobs import Run
from geartrain.release.events import Event, What
from geartrain.server import journal
from geartrain.server.watch.notify import ALIVE, READY, Notify


class Ear:
    """A datagram socket, and what came to it."""

    def __init__(self, where: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(where)
        self._socket.settimeout(5)

    def hears(self) -> bytes:
        return self._socket.recv(65536)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def ear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ear]:
    path = tmp_path / "socket"
    monkeypatch.setattr(journal, "SOCKET", path)
    made = Ear(str(path))
    yield made
    made.close()


def fields(datagram: bytes) -> dict[str, str]:
    """Read an entry as the journal does."""
    found = {}
    while datagram:
        line, _, datagram = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (size,) = struct.unpack("<Q", datagram[:8])
            value, datagram = datagram[8 : 8 + size], datagram[8 + size :]
            assert datagram[:1] == b"\n"
            datagram = datagram[1:]
        found[name.decode()] = value.decode()
    return found


def test_an_event_has_its_fields(ear: Ear) -> None:
    event = Event(
        what=What.RESTARTED, release=7, why="no answer", by="gear", via="watcher",
        service="web", instance="web.7.1",
    )  # fmt: skip
    journal.event("shop", event)
    assert fields(ear.hears()) == {
        "MESSAGE": "shop: web.7.1 was restarted: no answer",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "gear",
        "GEAR_EVENT": "restarted",
        "GEAR_APP": "shop",
        "GEAR_RELEASE": "7",
        "GEAR_SERVICE": "web",
        "GEAR_INSTANCE": "web.7.1",
        "GEAR_BY": "gear",
        "GEAR_VIA": "watcher",
    }


@pytest.mark.parametrize("what", list(What))
def test_every_kind_of_event_is_told(ear: Ear, what: What) -> None:
    journal.event("shop", Event(what=what, release=7))
    said = fields(ear.hears())
    assert said["GEAR_EVENT"] == what.replace(" ", "-")
    assert said["MESSAGE"].startswith("shop: ")


def test_several_lines_are_one_field_and_add_no_other(ear: Ear) -> None:
    why = "first\nGEAR_APP=other\nPRIORITY=0"
    journal.event("shop", Event(what=What.FAILED, release=7, why=why))
    said = fields(ear.hears())
    assert said["MESSAGE"] == f"shop: release 7 failed: {why}"
    assert (said["GEAR_APP"], said["PRIORITY"]) == ("shop", "3")


def test_one_that_is_too_long_is_cut(ear: Ear) -> None:
    journal.event("shop", Event(what=What.FAILED, release=7, why="x" * 10**6))
    assert len(fields(ear.hears())["MESSAGE"]) == journal.LONGEST


def test_a_job_says_how_it_went(ear: Ear) -> None:
    run = {"release": 7, "began": 10.0, "ended": 12.5}
    journal.job("shop", "mail", Run(**run, code=0))  # type: ignore[arg-type]
    said = fields(ear.hears())
    assert (said["GEAR_EVENT"], said["GEAR_SERVICE"]) == ("job-ran", "mail")
    assert said["MESSAGE"] == "shop: mail ran, after 2.5 s"
    journal.job("shop", "mail", Run(**run, code=3, why="ended with exit code 3"))  # type: ignore[arg-type]
    said = fields(ear.hears())
    assert (said["GEAR_EVENT"], said["PRIORITY"]) == ("job-failed", "4")
    assert said["MESSAGE"] == "shop: mail ended with exit code 3 after 2.5 s"


def test_without_a_journal_nothing_happens(tmp_path: Path) -> None:
    journal.send("shop", "live", "words", journal.INFO, to=tmp_path / "nothing")
    deaf = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    deaf.bind(str(tmp_path / "deaf"))
    try:
        for _ in range(1000):  # more than waits at a socket that nobody reads
            journal.send("shop", "live", "words", journal.INFO, to=tmp_path / "deaf")
    finally:
        deaf.close()


@pytest.mark.parametrize("name", ["{place}/notify", "@gear-test-{place}"])
def test_systemd_is_told(tmp_path: Path, name: str) -> None:
    said = name.format(place=tmp_path)
    ear = Ear(f"\0{said[1:]}" if said.startswith("@") else said)
    environ = {"NOTIFY_SOCKET": said, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    notify = Notify(environ)
    assert environ == {"HOME": "/"}, "it is not for children"
    notify(READY, "STATUS=watches")
    assert ear.hears() == b"READY=1\nSTATUS=watches"
    ear.close()
    notify(ALIVE)


def test_where_systemd_did_not_start_it_nobody_is_told() -> None:
    Notify({})(READY)
