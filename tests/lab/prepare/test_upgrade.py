"""A newer Geartrain beside the one that serves, and the way back: the app answers all the while."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import geartrain
from tests.lab.laptop import Laptop
from tests.lab.prepare.bare import ROOT, gear_of
from tests.lab.site import APP, Site
from tests.lab.table import Table

CLONE = Path(geartrain.__file__).parents[2]
VERSION = "9.9.9"  # of the newer one


def newer(folder: Path) -> Path:
    """A clone of another version; the folder of its package."""
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(CLONE / "src", folder / "src", ignore=skip)
    shutil.copytree(CLONE / "requirements", folder / "requirements", ignore=skip)
    shutil.copy(CLONE / "gear", folder)
    init = folder / "src/geartrain/__init__.py"
    said = init.read_text()
    init.write_text(said.replace(f'"{geartrain.__version__}"', f'"{VERSION}"'))
    assert init.read_text() != said
    return folder / "src"


class Asked:
    """Requests, one after the other, while something else goes on."""

    def __init__(self, site: Site) -> None:
        self.answers: list[tuple[int, str]] = []
        self._site = site
        self._end = threading.Event()

    def _ask(self) -> None:
        while not self._end.is_set():
            self.answers.append(self._site.get())

    @contextmanager
    def all_the_while(self) -> Iterator[None]:
        thread = threading.Thread(target=self._ask)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join(60)

    @property
    def wrong(self) -> list[tuple[int, str]]:
        return [one for one in self.answers if one[0] != 200]


def versions(laptop: Laptop) -> set[str]:
    return set(laptop.root("ls -A /opt/geartrain/versions").out.split())


def used(laptop: Laptop) -> str:
    return laptop.root("readlink /opt/geartrain/current").out.strip().rpartition("/")[2]


def test_an_upgrade_and_the_way_back_under_requests(site: Site, tmp_path: Path) -> None:
    laptop = site.laptop
    source = newer(tmp_path / "newer")
    before, containers = used(laptop), laptop.root("docker ps --quiet --no-trunc").out
    asked, table = Asked(site), Table("with requests under way", "seconds")
    with asked.all_the_while():
        began = time.monotonic()
        said = laptop.run(*gear_of(source, "server", "prepare", ROOT)).out
        table.add("a newer version", time.monotonic() - began)
        assert f"Geartrain: install {VERSION}-" in said
        assert f" in place of {before}" in said
        assert used(laptop).startswith(f"{VERSION}-")
        assert laptop.gear("--version").out == f"gear {VERSION}\n"
        site.new_version()
        assert "is live" in site.clone.push().err

        began = time.monotonic()
        said = laptop.local("server", "prepare", ROOT).out
        table.add("the way back", time.monotonic() - began)
        assert f"Geartrain: install {before} in place of {VERSION}-" in said
        assert used(laptop) == before
        assert laptop.gear("--version").out == f"gear {geartrain.__version__}\n"
        site.new_version()
        assert "is live" in site.clone.push().err
    table.add("requests", str(len(asked.answers)))
    table.add("not answered with 200", str(len(asked.wrong)))
    table.show()
    assert asked.wrong == []
    assert len(asked.answers) > 50
    assert set(containers.split()) & set(laptop.root("docker ps -q --no-trunc").out.split())
    assert {name.partition("-")[0] for name in versions(laptop)} == {
        VERSION, geartrain.__version__,
    }  # fmt: skip
    checked = laptop.local("server", "prepare", "--check", ROOT).out
    assert checked.splitlines()[1:] == ["nothing to do"]
    assert APP in laptop.gear("status").out


def test_versions_that_nobody_goes_back_to_are_removed(site: Site) -> None:
    laptop = site.laptop
    there = versions(laptop)
    fakes = ("0.0.1-a", "0.0.2-b", "0.0.3-c", ".0.0.4-d.new")
    make = "cd /opt/geartrain/versions; for one in {}; do mkdir $one; touch -d '{}' $one; done"
    laptop.root(make.format(" ".join(fakes), "2020-01-01"))
    # One of them runs: it was started from there, and has not ended.
    start = ("cp /bin/sleep 0.0.1-a/; setsid 0.0.1-a/sleep 600 </dev/null >/dev/null 2>&1 &"
             " echo $!")  # fmt: skip
    pid = laptop.root(f"cd /opt/geartrain/versions; {start}").out.strip()
    laptop.root("touch -d 2020-01-01 /opt/geartrain/versions/0.0.1-a")
    try:
        said = laptop.local("server", "prepare", ROOT).out
        left = versions(laptop) - there
    finally:
        laptop.root(f"kill {pid}")
    assert "old versions: remove " in said
    assert "0.0.1-a" in left, "a version that is run from stays"
    assert ".0.0.4-d.new" not in left
    assert there <= versions(laptop), "those that were used last stay"
    assert len([name for name in left if name != "0.0.1-a"]) == max(0, 2 - (len(there) - 1))
    laptop.local("server", "prepare", ROOT)
    assert len(versions(laptop)) == 3
    checked = laptop.local("server", "prepare", "--check", ROOT).out
    assert checked.splitlines()[1:] == ["nothing to do"]


def test_units_of_a_newer_version_are_removed_on_the_way_back(site: Site) -> None:
    laptop = site.laptop
    unit = "[Service]\nExecStart=/bin/sleep 3600\n[Install]\nWantedBy=multi-user.target\n"
    name = "geartrain-later.service"
    laptop.root(f"cat > /etc/systemd/system/{name} && systemctl enable --now {name}", stdin=unit)
    said = laptop.local("server", "prepare", ROOT).out
    assert f"units: remove {name}" in said
    assert laptop.root(f"systemctl is-active {name}", code=None).out == "inactive\n"
    assert laptop.root("find /etc/systemd/system -name '*later*'").out == ""
    assert site.get()[0] == 200
    checked = laptop.local("server", "prepare", "--check", ROOT).out
    assert checked.splitlines()[1:] == ["nothing to do"]


def test_an_upgrade_has_the_edge_written_anew_under_requests(site: Site) -> None:
    laptop = site.laptop
    edge, claims = "/var/lib/geartrain/edge", "/var/lib/geartrain/edge/current/apps/*.json"
    laptop.root(
        f"cd {edge} && cp -a $(readlink current) older-1-0 && ln -sfn older-1-0 current"
        f" && sed -i 's/\"format\":[0-9]*,//' {claims}"
    )
    asked = Asked(site)
    with asked.all_the_while():
        said = laptop.local("server", "prepare", ROOT).out
    assert "edge: write nginx's configuration anew, for " in said
    assert '"format":' in laptop.root(f"cat {claims}").out
    assert asked.wrong == []
    assert asked.answers
    checked = laptop.local("server", "prepare", "--check", ROOT).out
    assert checked.splitlines()[1:] == ["nothing to do"]
