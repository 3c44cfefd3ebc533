"""Two tallies that fight for the lock, one of them stopped for longer than its lease."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import GEAR, until
from tests.links.live import Live, Person

pytestmark = pytest.mark.links

# What `python -m app.tally` does, stopped by itself between reading and writing, for once.
STOPPED = """
import asyncio, os, signal
from app import tally
write = tally.write
async def stopped(*given):
    tally.write = write
    os.kill(os.getpid(), signal.SIGSTOP)
    await write(*given)
tally.write, tally.LEASE = stopped, 1.0
tally.tally.__defaults__ = (tally.LEASE,)
asyncio.run(tally.main())
"""


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_tally_that_was_paused_past_its_lease_counts_nothing(live: Live, person: Person) -> None:
    slug = person.link("https://example.com/lock")
    link = live.sql(f"SELECT id FROM links WHERE slug = '{slug}'")
    live.sql(
        f"INSERT INTO clicks SELECT gen_random_uuid(), {link}, now() FROM generate_series(1, 12000)"
    )
    until(lambda: live.redis("EXISTS", "lock:tally") == "0", "the scheduled one is at rest")
    slow = subprocess.Popen(
        [*GEAR, "run", "tally", "python", "-c", STOPPED], cwd=live.folder,
        env=live.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        pids = until(lambda: stopped_ones(live.folder), "one stands between reading and writing")
        first = live.redis("GET", "fence:tally")
        until(lambda: live.redis("EXISTS", "lock:tally") == "0", "its lease is over")
        said = live.gear("run", "tally", "python", "-m", "app.tally").said
        assert '"clicks": 12000' in said or person.clicks(slug) == 12000
        assert int(live.redis("GET", "fence:tally")) > int(first)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        out, _ = slow.communicate(timeout=30)
    finally:
        slow.kill()
        slow.wait()
    assert "lost the lock" in out, out
    total, days, fresh = live.sql(
        f"SELECT links.clicks, (SELECT sum(clicks) FROM days WHERE link_id = {link}),"
        f" (SELECT count(*) FROM clicks WHERE link_id = {link} AND NOT counted)"
        f" FROM links WHERE id = {link}"
    ).split("|")
    assert (total, days, fresh) == ("12000", "12000", "0")


def stopped_ones(folder: Path) -> list[int]:
    """Processes of the project that SIGSTOP holds."""
    mark = os.fsencode(folder)
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and b"SIGSTOP" in (entry / "cmdline").read_bytes():
                mine = mark in (entry / "environ").read_bytes() + os.fsencode(
                    (entry / "cwd").readlink()
                )
                if mine and state(int(entry.name)) == "T":
                    found.append(int(entry.name))
        except OSError:
            continue
    return found
