"""Another version is used from now on: a process that runs keeps to the one it began with."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import geartrain

PACKAGE = Path(geartrain.__file__).parent
LATER = """
import os, sys
sys.path.insert(0, sys.argv[1] + "/current/src")
import geartrain
os.symlink("2", sys.argv[1] + "/fresh")
os.replace(sys.argv[1] + "/fresh", sys.argv[1] + "/current")
from geartrain.app import which
import beside
print(which.VERSION, beside.VERSION)
"""


def test_a_process_keeps_to_its_version(tmp_path: Path) -> None:
    for version in ("1", "2"):
        source = tmp_path / version / "src"
        (source / "geartrain" / "app").mkdir(parents=True)
        shutil.copy(PACKAGE / "__init__.py", source / "geartrain")
        (source / "geartrain" / "app" / "__init__.py").touch()
        (source / "geartrain" / "app" / "which.py").write_text(f"VERSION = {version}\n")
        (source / "beside.py").write_text(f"VERSION = {version}\n")
    (tmp_path / "current").symlink_to("1")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LATER, tmp_path],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout == "1 1\n"
