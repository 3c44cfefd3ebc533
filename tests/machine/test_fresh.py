"""The README's commands, run by a newcomer on a machine with nothing but Python and Git."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from subprocess import CompletedProcess

import pytest

from tests.machine.docker import Machine

NewMachine = Callable[[], Machine]
LONGEST = 900.0  # seconds for the core, on a machine that does something else as well


@dataclass(frozen=True)
class Clone:
    """Somebody's clone on a machine."""

    machine: Machine
    user: str
    folder: str

    def inside(self, folder: str) -> Clone:
        return replace(self, folder=f"{self.folder}/{folder}")

    def run(self, *argv: str, timeout: float = 600) -> CompletedProcess[str]:
        return self.machine.run(self.user, self.folder, argv, timeout=timeout)

    def works(self, *argv: str, timeout: float = 600) -> CompletedProcess[str]:
        done = self.run(*argv, timeout=timeout)
        assert done.returncode == 0, (
            f"{argv}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done


def clone(machine: Machine, user: str) -> Clone:
    home = "/root" if user == "root" else f"/home/{user}"
    command = ["git", "clone", "--quiet", "/srv/geartrain.bundle", "geartrain"]
    done = machine.run(user, home, command)
    assert done.returncode == 0, done.stderr
    return Clone(machine, user, f"{home}/geartrain")


def install(machine: Machine, words: Sequence[str]) -> None:
    """Do what the message said, as the machine's owner would."""
    update = machine.run("root", "/", ["apt-get", "update"])
    assert update.returncode == 0, update.stderr
    done = machine.run("root", "/", [*words, "-y"])
    assert done.returncode == 0, done.stderr


ASK = """
import sys, urllib.request
answer = urllib.request.urlopen(sys.argv[1], timeout=10)
print(answer.status, answer.headers["Server"], answer.read().decode())
"""


def live_at(said: str) -> str:
    """The address that `gear up` prints."""
    found = re.search(r"is live at (http://\S+)", said)
    assert found, said
    return found[1]


def ask(here: Clone, url: str) -> str:
    """Status, server and body, as somebody on the machine gets them."""
    return here.works("python3", "-c", ASK, url).stdout


def with_venv(machine: Machine) -> Machine:
    install(machine, ["apt-get", "install", "--no-install-recommends", "python3-venv"])
    return machine


def is_gone(here: Clone, url: str) -> None:
    """Nothing answers, and no process of the app is left."""
    assert here.run("python3", "-c", ASK, url).returncode != 0
    names = here.machine.run("root", "/", ["sh", "-c", "cat /proc/[0-9]*/comm"]).stdout.split()
    assert not {"nginx", "postgres", "valkey-server", "python", "uvicorn"} & set(names), names


def test_root_gets_everything_set_up(new_machine: NewMachine) -> None:
    here = clone(new_machine(), "root")
    first = here.works("./gear", "--version")
    assert first.stdout.startswith("gear")
    assert "installing python3-venv with apt-get" in first.stderr
    assert ".venv is ready" in first.stderr
    again = here.works("./gear", "--version")
    assert (again.stdout, again.stderr) == (first.stdout, "")


def test_a_user_is_told_what_only_root_can_install(new_machine: NewMachine) -> None:
    here = clone(new_machine(), "dev")
    refused = here.run("./gear", "--version")
    assert refused.returncode == 4
    assert refused.stdout == ""
    remedy = refused.stderr.splitlines()[-1].strip()
    assert remedy == "→ sudo apt-get install python3-venv"
    assert here.run("test", "-e", ".venv").returncode != 0, "something was made all the same"

    install(here.machine, remedy.split()[2:])
    assert here.works("./gear", "--version").stdout.startswith("gear")


@pytest.mark.parametrize("user", ["root", "dev"])
def test_the_example_is_live_with_one_command(new_machine: NewMachine, user: str) -> None:
    here = clone(with_venv(new_machine()), user)
    url = live_at(here.works("./gear", "up", "-d", "examples/links").stdout)
    page = ask(here, url)
    assert page.startswith("200 nginx")
    assert "<html" in page.lower()
    assert '"/api/links"' in ask(here, f"{url.rstrip('/')}/api/openapi.json")

    there = here.inside("examples/links")
    shown = there.works("../../gear", "ps").stdout
    assert all(
        name in shown for name in ("nginx", "backend", "worker", "tally", "postgres", "redis")
    )
    there.works("../../gear", "down")
    is_gone(here, url)


@pytest.mark.parametrize(("user", "address"), [("root", ""), ("dev", ":8080")])
def test_eleven_lines_are_live_with_one_command(
    new_machine: NewMachine, user: str, address: str
) -> None:
    here = clone(with_venv(new_machine()), user)
    up = here.works("./gear", "up", "-d", "tests/machine/eleven")
    url = live_at(up.stdout)
    assert re.fullmatch(rf"http://(localhost|127\.0\.0\.1){address}/?", url)
    assert ("8080" in up.stderr) == (user == "dev"), "a user is told of the other port, root is not"
    assert ask(here, url) == '200 nginx {"postgres": 1, "redis": 1}\n'

    there = here.inside("tests/machine/eleven")
    there.works("../../../gear", "down")
    is_gone(here, url)
    again = live_at(there.works("../../../gear", "up", "-d").stdout)
    assert '"postgres": 2' in ask(here, again), "what was stored is still there"


CORE = {
    "dev": (),
    # Elsewhere root is nobody else, and the whole is run by whoever runs this.
    "root": ("tests/cli", "tests/engine", "tests/setup"),
}
"""Who runs the core, and which folders of it; none is all."""


@pytest.mark.timeout(2 * LONGEST)
def test_the_core_of_the_tests_passes(new_machine: NewMachine) -> None:
    """As root and as somebody, on two machines at once."""

    def last_line(user: str) -> str:
        here = clone(with_venv(new_machine()), user)
        # The two share the processors of this machine, each of which thinks that they are its own.
        core = ("./test", "--fast", "-n2", *CORE[user])
        return here.works(*core, timeout=LONGEST).stdout.splitlines()[-1]

    with ThreadPoolExecutor(len(CORE)) as pool:
        for user, line in zip(CORE, pool.map(last_line, CORE), strict=True):
            assert re.search(r"\d+ passed.* in ", line), f"{user}: {line}"
