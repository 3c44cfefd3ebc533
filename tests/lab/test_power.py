"""The server is switched off, and on again: it comes back by itself, as what the history says."""

from __future__ import annotations

import os
import random
import re
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cli.running import until
from tests.lab.site import Site
from tests.lab.table import Table
from tests.lab.writing import writing

CUTS = 10 if os.environ.get("GEAR_SERVER") == "full" else 4
SEED = int(os.environ.get("GEAR_SEED", "20261126"))


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    made = Table("switched off", "live", "to the first 200, s", "to all as it should be, s")
    yield made
    made.show()


def comes_back(site: Site, table: Table, what: str, off: Callable[[], None]) -> int:
    """Switch it off and on, wait, and see that it is whole; the release that is live."""
    acknowledged: list[str] = []
    with writing(site, acknowledged):
        until(lambda: len(acknowledged) > 5, "rows are stored")
        off()
    began = time.monotonic()
    site.server.boot()
    site.on()
    until(lambda: site.get()[0] == 200, f"it answers again after {what}")
    answered = time.monotonic() - began
    live = site.settled()
    table.add(what, f"release {live}", answered, time.monotonic() - began)
    assert set(acknowledged) <= set(site.rows()), "a row that was acknowledged is gone"
    assert site.clone.remote() == site.commit_of(live), "the branch is what runs"
    return live


def test_it_reboots(site: Site, table: Table) -> None:
    before = site.settled()
    assert comes_back(site, table, "reboot", site.server.shut_down) == before
    said = site.laptop.root("journalctl --unit=geartrain.service --output=cat").out
    assert re.search(r"^stopped [4-9] containers$", said, re.MULTILINE), "not stopped in order"


def test_the_power_is_cut(site: Site, table: Table) -> None:
    before = site.settled()
    assert comes_back(site, table, "power cut, idle", site.server.cut_power) == before


def test_the_power_is_cut_while_a_push_is_at_work(site: Site, table: Table) -> None:
    dice = random.Random(SEED)
    sys.stderr.write(f"\nGEAR_SEED={SEED} for the same moments\n")
    began = time.monotonic()
    site.new_version()
    site.clone.push()
    takes = time.monotonic() - began
    for number in range(CUTS):
        versions = [site.commit_of(site.settled())]
        moment = dice.uniform(0, 1.1 * takes)

        def off(moment: float = moment, versions: list[str] = versions) -> None:
            versions.append(site.new_version())
            push = site.laptop.start("git", "push", "live", "main", cwd=site.clone.folder)
            time.sleep(moment)  # the moment is what is tried, whatever goes on in it
            site.server.cut_power()
            push.communicate(timeout=120)
            if push.returncode == 0:
                del versions[0]  # it was accepted, and so has to be what runs

        what = f"power cut {number + 1}, {moment:.2f} s into a push"
        live = comes_back(site, table, what, off)
        assert site.commit_of(live) in versions
    site.new_version()
    site.clone.push()
    site.settled()
