"""Every system's own archive has the packages that are named for it: apt says what it would do."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from geartrain.engine.docker.images.suites import SUITES
from geartrain.server.prepare.system import COMMON, SUPPORTED, System
from tests.lab import debian

NEEDED = (3, 11)  # of Python
OF = {suite.title: suite.name for suite in SUITES.values()}


@pytest.fixture
def keys() -> Iterator[Path]:
    """A folder that apt reads as a user of its own."""
    with tempfile.TemporaryDirectory(prefix="gear-keys-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("system", SUPPORTED.values(), ids=lambda system: OF[system.name])
def test_its_packages_can_be_installed(
    system: System, keys: Path, tmp_path: Path, docker_daemon: None
) -> None:
    for folder in ("etc/apt", "state/lists/partial", "cache/archives/partial"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "status").touch()  # nothing is installed
    lines = debian.sources(OF[system.name], keys)
    (tmp_path / "etc/apt/sources.list").write_text("".join(f"{line}\n" for line in lines))
    settings = {
        "Dir::Etc": f"{tmp_path}/etc/apt", "Dir::State": f"{tmp_path}/state",
        "Dir::State::status": f"{tmp_path}/status", "Dir::Cache": f"{tmp_path}/cache",
        "APT::Sandbox::User": "root",  # whose this folder is
        "Acquire::Retries": "3",
    }  # fmt: skip
    apt = ["apt-get", *(f"-o{name}={value}" for name, value in settings.items())]
    wanted = (*COMMON, *system.python, *system.docker)
    said = ""
    for words in (["update", "--error-on=any"],
                  ["--simulate", "--no-install-recommends", "install", *wanted]):  # fmt: skip
        done = subprocess.run([*apt, *words], capture_output=True, text=True, timeout=200,
                              check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        said = done.stdout
    found = dict(re.findall(r"^Inst (\S+) \((?:\d+:)?(\S+) ", said, re.MULTILINE))
    assert set(wanted) <= set(found), said
    assert tuple(map(int, found[system.python[0]].split(".")[:2])) >= NEEDED
