"""The new project's own tests: `gear check`, and those of its page in real Chromium."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.links.live import Live

pytestmark = [pytest.mark.links, pytest.mark.timeout(300)]


def test_its_check_passes(live: Live) -> None:
    done = live.gear("check", timeout=200)
    assert "backend: check passed" in done.said
    assert int(re.search(r"(\d+) passed", done.said)[1]) > 30  # type: ignore[index]  # pytest says it
    assert "failed" not in done.said


def test_its_page_works_in_chromium(live: Live, tools: Path) -> None:
    if not shutil.which("chromium"):
        pytest.skip("chromium is missing; run ./test as root, or install it")
    done = subprocess.run(
        [tools / "python", "-m", "pytest", "-rs", "--noconftest", "tests/test_page.py"],
        cwd=live.folder / "backend", capture_output=True, text=True, check=False, timeout=240,
        env={**os.environ, "PAGE_URL": f"http://localhost:{live.port}", "PYTHONPATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b8 passed", done.stdout), done.stdout
