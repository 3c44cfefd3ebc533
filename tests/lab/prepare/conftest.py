"""Machines that were prepared in different ways, and one that was not."""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.acme import outside
from tests.lab.prepare.bare import Bare
from tests.lab.prepare.cloud import boot_with
from tests.lab.prepare.playing import Ansible

ANSIBLE = "ansible-core==2.19.14"


@pytest.fixture(scope="session")
def bare(machine_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bare]:
    """A machine as a provider gives it; the tests of this folder share it, in their order."""
    machine = Bare(machine_image, tmp_path_factory.mktemp("bare"))
    yield machine
    machine.remove()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which machines get its files."""
    folder = tmp_path_factory.mktemp("served")
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    handler = functools.partial(quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer((outside(), 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://{server.server_address[0]}:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def booted(
    machine_image: str, served: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bare]:
    """A machine that cloud-init has prepared at its first boot."""
    machine = Bare(machine_image, tmp_path_factory.mktemp("booted"))
    try:
        boot_with(machine, *served)
        yield machine
    finally:
        machine.remove()


@pytest.fixture(scope="session")
def ansible(tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    """Ansible, in an environment of its own, and the exported playbook."""
    folder = tmp_path_factory.mktemp("ansible")
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=120)
    install = [venv / "bin/pip", "--quiet", "--disable-pip-version-check", "install", ANSIBLE]
    done = subprocess.run(install, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0 and not os.environ.get("CI"):
        pytest.skip(f"{ANSIBLE} cannot be had: {done.stderr.strip().splitlines()[-1:]}")
    assert done.returncode == 0, done.stderr
    return Ansible(venv / "bin/ansible-playbook", folder / "servers")


@pytest.fixture(scope="session")
def unplayed(machine_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bare]:
    """A machine for the playbook."""
    machine = Bare(machine_image, tmp_path_factory.mktemp("unplayed"))
    yield machine
    machine.remove()
