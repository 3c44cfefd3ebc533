"""What an installed Geartrain carries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from geartrain.cli.new import files

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.setup


def test_the_wheel_has_the_whole_example_and_nothing_beside(tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("uv"), "build", "--wheel", "-q", "-o", tmp_path, ROOT],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        prefix = "geartrain/template/"
        carried = {
            name.removeprefix(prefix): wheel.read(name)
            for name in wheel.namelist()
            if name.startswith(prefix)
        }
    assert carried == files()
