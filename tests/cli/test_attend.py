"""A command that `gear run` attends to: it decides what a signal means, whenever that comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SCRIPT = """\
import os, subprocess, sys, time
from geartrain.cli import execute

class Slow(subprocess.Popen):
    # The command runs, and this process has not gone on yet, as on a busy machine.
    def __init__(self, *words, **how):
        super().__init__(*words, **how)
        time.sleep(1)

subprocess.Popen = Slow
traps = 'trap "exit 7" INT; trap "exit 8" TERM'
command = ["sh", "-c", f"{traps}; echo ready; while :; do sleep 0.05; done"]
sys.exit(execute.attend(command, dict(os.environ), "/", None))
"""


@contextmanager
def attended() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stdout
        assert running.stdout.readline() == "ready\n"
        yield running


def test_ctrl_c_is_for_the_command_as_soon_as_it_runs() -> None:
    with attended() as running:
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        assert running.wait(60) == 7


def test_being_asked_to_end_is_passed_on_as_soon_as_it_runs() -> None:
    with attended() as running:
        running.terminate()
        assert running.wait(60) == 8
