"""A command that `gear run` attends to: Ctrl-C is the command's to decide, whenever it comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

SCRIPT = """\
import os, subprocess, sys, time
from geartrain.cli import execute

class Slow(subprocess.Popen):
    # The command runs, and this process has not gone on yet, as on a busy machine.
    def __init__(self, *words, **how):
        super().__init__(*words, **how)
        time.sleep(1)

subprocess.Popen = Slow
command = ["sh", "-c", 'trap "exit 7" INT; echo ready; while :; do sleep 0.05; done']
sys.exit(execute.attend(command, dict(os.environ), "/", None))
"""


def test_ctrl_c_is_for_the_command_as_soon_as_it_runs() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stdout
        assert running.stdout.readline() == "ready\n"
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        assert running.wait(60) == 7
