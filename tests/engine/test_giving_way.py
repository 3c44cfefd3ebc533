"""Work that can wait gets what programs that answer leave, in whatever session it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

CODE = """\
import sys
from pathlib import Path
from geartrain.engine import aside, giving_way
giving_way.give_way()
print(aside.start(["timeit", "-n1", "-r1", "import time; time.sleep(600)"], Path(sys.argv[1])))
"""


def test_what_it_starts_in_a_session_of_its_own_gives_way_too(tmp_path: Path) -> None:
    words = [sys.executable, "-c", CODE, str(tmp_path / "log")]
    # In a session of its own, so that it is not this one that gives way.
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, start_new_session=True, timeout=60
    )
    process = int(done.stdout)
    try:
        assert os.getpriority(os.PRIO_PROCESS, process) == giving_way_by()
        group = Path(f"/proc/{process}/autogroup")  # only where the kernel has it
        assert not group.exists() or group.read_text().endswith(f"nice {giving_way_by()}\n")
    finally:
        os.kill(process, signal.SIGKILL)


def test_the_session_of_a_terminal_does_not_give_way() -> None:
    code = "from geartrain.engine.giving_way import give_way; give_way()"
    then = "cat /proc/self/autogroup || echo nice 0"  # only where the kernel has it
    done = subprocess.run(
        ["sh", "-c", f'"$@" && {then}', "sh", sys.executable, "-c", code],
        capture_output=True, text=True, check=True, start_new_session=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.endswith("nice 0\n")


def giving_way_by() -> int:
    """Ten steps below what this process has."""
    return min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)
