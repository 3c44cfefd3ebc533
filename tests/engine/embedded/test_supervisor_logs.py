"""Log lines: stamped, cut, rotated, and never in the way of the program."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from geartrain.cli.logs import said_by
from geartrain.engine.embedded.supervisor import logs
from geartrain.engine.embedded.supervisor.client import Client
from geartrain.engine.embedded.supervisor.spec import Probe, ProbeKind
from tests.engine.embedded.supervisor_lab import Lab, eventually, python

STAMPED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z w\.1\.1 ")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.end()


def texts(found: list[bytes]) -> list[str]:
    return [line.decode().split(" ", 2)[2] for line in found]


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1795391234.5678, "2026-11-22T23:47:14.567Z"),
        (1795391234.9999, "2026-11-22T23:47:14.999Z"),
    ],
)
def test_stamps_sort_as_text(now: float, said: str) -> None:
    assert logs.stamp(now) == said
    assert logs.stamp(now) < logs.stamp(now + 0.002) < logs.stamp(now + 86400)


def test_lines_are_cut_wherever_the_reads_fall() -> None:
    lines = logs.Lines("w.1.1")
    found = [line for part in (b"on", b"e\ntw", b"o\r\n\nth", b"ree") for line in lines.feed(part)]
    assert texts(found) == ["one\n", "two\n", "\n"]
    assert texts(lines.flush()) == ["three\n"]
    assert lines.flush() == []


def test_a_line_without_an_end_is_cut() -> None:
    lines = logs.Lines("w.1.1")
    found = [line for _ in range(40) for line in lines.feed(b"x" * 10_000)]
    assert found
    assert all(len(line) < logs.LONGEST_LINE + 11_000 for line in found)
    said = "".join(texts(found) + texts(lines.flush())).replace("\n", "")
    assert said == "x" * 400_000


def test_files_rotate_and_the_oldest_goes(tmp_path: Path) -> None:
    file = logs.LogFile(tmp_path / "w.log", max_bytes=100)
    for number in range(103):
        file.write(b"%03d " % number + b"x" * 16 + b"\n")
    file.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["w.log", *(f"w.log.{n}" for n in range(1, logs.KEPT + 1))]
    kept = [tmp_path / f"w.log.{n}" for n in range(logs.KEPT, 0, -1)] + [tmp_path / "w.log"]
    numbers = [int(line[:3]) for path in kept for line in path.read_text().splitlines()]
    assert numbers == list(range(numbers[0], 103))
    assert all(path.stat().st_size <= 121 for path in kept)


def test_who_reads_a_log_while_it_is_moved_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "2026-11-22T23:47:14.567Z w.1.1 hello\n"
    (tmp_path / "w.log").write_text(line)
    exists, read = Path.exists, Path.read_bytes

    def then_shift(path: Path) -> bool:
        there = exists(path)
        logs.shift(tmp_path / "w.log")
        return there

    def shift_first(path: Path) -> bytes:
        logs.shift(tmp_path / "w.log")
        return read(path)

    monkeypatch.setattr(Path, "exists", then_shift)
    monkeypatch.setattr(Path, "read_bytes", shift_first)
    assert said_by(tmp_path, 1) == []
    monkeypatch.undo()
    (tmp_path / "w.log").write_text(line)
    assert "w.1.1 | hello" in said_by(tmp_path, 1)


def test_a_file_that_was_removed_or_a_full_disk_ends_nothing(tmp_path: Path) -> None:
    file = logs.LogFile(tmp_path / "nowhere" / "w.log")
    file.write(b"lost\n")
    (tmp_path / "nowhere").mkdir()
    file.write(b"kept\n")
    file.close()
    assert (tmp_path / "nowhere" / "w.log").read_text() == "kept\n"
    full = logs.LogFile(Path("/dev/full"))
    full.write(b"lost\n")
    full.close()


def test_output_and_errors_come_stamped_with_their_instance(lab: Lab) -> None:
    code = (
        "import sys, time; print('out', flush=True); print('err', file=sys.stderr, flush=True);"
        "sys.stdout.buffer.write(b'\\xff\\x00\\x1b[31mred\\x1b[0m \\xe2\\x80\\xa8 end\\n');"
        "sys.stdout.write('unfinished')"
    )
    lab.start(python("w.1.1", code, probe=Probe(kind=ProbeKind.EXIT)))
    lab.ready("w.1.1")
    eventually(lambda: len(lab.logs.joinpath("w.log").read_bytes().split(b"\n")) == 5)
    lines = (lab.logs / "w.log").read_bytes().split(b"\n")[:-1]
    assert all(STAMPED.match(line.decode(errors="replace")) for line in lines)
    assert [line.split(b" ", 2)[2] for line in lines] == [
        b"out", b"err", b"\xff\x00\x1b[31mred\x1b[0m \xe2\x80\xa8 end", b"unfinished"
    ]  # fmt: skip


def test_a_chatty_program_is_not_held_up_and_loses_nothing(lab: Lab) -> None:
    code = "for n in range(100_000): print(n, 'x' * 40)"
    lab.start(python("w.1.1", code, probe=Probe(kind=ProbeKind.EXIT)))
    assert lab.ready("w.1.1", timeout=60)[0]["fine"]
    eventually(lambda: lab.log("w")[-1].startswith("99999 "))
    assert [int(text.split()[0]) for text in lab.log("w")] == list(range(100_000))
    assert len(lab.see("w.1.1")["tail"]) <= 30


def test_whoever_follows_gets_new_lines_of_all(lab: Lab) -> None:
    client = Client(lab.run)
    found: list[tuple[str, str]] = []

    def follow() -> None:
        for service, line in client.follow():
            found.append((service, line.split(" ", 1)[1]))

    ticks = "import time\nwhile True: print('tick', flush=True); time.sleep(0.05)"
    lab.start(python("tick.1.1", ticks))
    reader = threading.Thread(target=follow)
    reader.start()
    eventually(lambda: found)  # it follows
    for number in range(3):
        code = f"print('line {number}')"
        lab.start(python(f"w.1.{number}", code, probe=Probe(kind=ProbeKind.EXIT)))
        lab.ready(f"w.1.{number}")
    eventually(lambda: len(lab.log("w")) == 3)
    lab.client.ask("shutdown")
    reader.join()
    assert set(found) >= {("w", f"w.1.{n} line {n}") for n in range(3)}


def test_a_follower_that_does_not_read_holds_nobody_up(lab: Lab) -> None:
    lazy = Client(lab.run)
    lazy._socket.sendall(b'{"op": "follow"}\n')
    code = "for n in range(60_000): print(n, 'x' * 100)"
    lab.start(python("w.1.1", code, probe=Probe(kind=ProbeKind.EXIT)))
    assert lab.ready("w.1.1", timeout=60)[0]["fine"]
    lazy.close()
    assert lab.client.ask("observe")
