"""systemd's units: as they are written down, and as systemd itself judges them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from geartrain.render import systemd
from geartrain.render.systemd import Place
from tests.conftest import Golden

WORST = 3.0
TREE = systemd.units(
    Place(
        gear=PurePosixPath("/opt/geartrain/current/gear"),
        host=PurePosixPath("/var/lib/geartrain"),
        user="gear",
    )
)


def test_the_units_of_a_server(golden: Golden) -> None:
    golden("systemd/server", {name: (file.mode, file.text) for name, file in TREE.items()})


@pytest.mark.parametrize("name", [systemd.BOOT, systemd.WATCH])
def test_docker_is_wanted_and_never_required(name: str) -> None:
    text = TREE[name].text
    assert re.search(r"^Wants=.*docker.service", text, re.MULTILINE)
    assert re.search(r"^After=.*docker.service", text, re.MULTILINE)
    assert not re.search(r"^(Requires|BindsTo|PartOf|Requisite)=", text, re.MULTILINE)


def test_the_watcher_comes_after_the_apps_and_always_comes_back() -> None:
    text = TREE[systemd.WATCH].text
    assert re.search(rf"^After=.* {systemd.BOOT}$", text, re.MULTILINE)
    for line in ("Type=notify", "Restart=always", "WatchdogSec=2min", "StartLimitIntervalSec=0"):
        assert f"\n{line}\n" in text


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze missing; apt-get install systemd")
    return found


@pytest.mark.programs
def test_systemd_finds_no_mistake_in_them(analyze: str, tmp_path: Path) -> None:
    gear = tmp_path / "gear"
    gear.write_text("#!/bin/sh\n")
    gear.chmod(0o755)
    place = Place(gear=PurePosixPath(gear), host=PurePosixPath(tmp_path), user="root")
    paths = []
    for name, file in systemd.units(place).items():
        (tmp_path / name).write_text(file.text)
        paths.append(tmp_path / name)
    words = [analyze, "verify", "--man=no", "--recursive-errors=no", *paths]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    said = [
        line for line in done.stderr.splitlines() if str(tmp_path) in line or "geartrain" in line
    ]
    assert (done.returncode, said) == (0, [])


@pytest.mark.programs
@pytest.mark.parametrize("name", [name for name in TREE if name.endswith(".service")])
def test_what_a_service_may_do_is_little(analyze: str, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(TREE[name].text)
    words = [analyze, "security", "--offline=yes", "--no-pager", tmp_path / name]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= WORST, done.stdout
