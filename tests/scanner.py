"""sslyze, which sees whether TLS is as Mozilla's guideline has it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.cli.running import SOURCE

ROOT = Path(SOURCE).parent


def sslyze() -> Path:
    """The program. It needs an older `cryptography` than Geartrain: an environment of its own."""
    folder = ROOT / ".venv-scan"
    script = ROOT / "requirements" / "make_environment.sh"
    done = subprocess.run(
        [script, folder, ROOT / "requirements" / "scan.txt"], capture_output=True, text=True,
        check=False, timeout=300, env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "bin" / "sslyze"


def scan(program: Path, where: str, ca: Path, profile: str) -> tuple[int, str]:
    """Its exit code, and what it says.

    Args:
        program: sslyze.
        where: `NAME:PORT{ADDRESS}`.
        ca: whose certificates are good there.
        profile: Mozilla's: "modern", "intermediate" or "old".
    """
    words = [program, f"--mozilla_config={profile}", f"--certinfo_ca_file={ca}", where]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout + done.stderr
