"""What `gear server prepare` knows without a machine: systems, and what goes to one."""

from __future__ import annotations

import io
import tarfile

import pytest

from geartrain.errors import GearError
from geartrain.render import systemd
from geartrain.render.nginx.claims import FORMAT
from geartrain.run import Completed
from geartrain.server.prepare import layout
from geartrain.server.prepare.machine import Machine
from geartrain.server.prepare.payload import Payload
from geartrain.server.prepare.steps import Edge, Units
from geartrain.server.prepare.system import SUPPORTED, recognize


def test_the_archive_is_a_clone_that_sets_itself_up_and_no_more() -> None:
    packed = Payload().packed()
    assert packed == Payload().packed(), "the same content is the same version"
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        modes = {entry.name: entry.mode for entry in archive}
    assert modes["gear"] == modes["requirements/make_environment.sh"] == 0o755
    assert "src/geartrain/__main__.py" in modes
    assert "requirements/runtime.txt" in modes
    assert {name.partition("/")[0] for name in modes} == {"gear", "requirements", "src"}
    assert not [name for name in modes if "__pycache__" in name]


@pytest.mark.parametrize(("id_", "version"), SUPPORTED)
def test_supported_systems_are_recognized(id_: str, version: str) -> None:
    text = f'PRETTY_NAME="Some name"\nID={id_}\nVERSION_ID="{version}"\n'
    assert recognize(text) is SUPPORTED[id_, version]


@pytest.mark.parametrize("text", ["", "ID=fedora\nVERSION_ID=41\n", 'ID=debian\nVERSION_ID="11"\n'])
def test_others_hear_which_are(text: str) -> None:
    with pytest.raises(GearError) as refused:
        recognize(text)
    assert "Debian 12, Debian 13, Ubuntu 22.04, Ubuntu 24.04" in refused.value.remedy


class Prepared(Machine):
    """A machine with all units as they should be, whose watcher works in some folder."""

    def __init__(self, works_in: str) -> None:
        super().__init__("a machine")
        self.works_in = works_in
        self.did: list[tuple[str, ...]] = []

    def run(self, *argv: object, **_: object) -> Completed:
        words = tuple(map(str, argv))
        unit = words[-1].rpartition("/")[2]
        said = {
            ("systemctl", "is-enabled"): "enabled",
            ("systemctl", "is-active"): "active",
            ("systemctl", "show"): "42",
            ("readlink", "/proc/42/cwd"): self.works_in,
            ("readlink", str(layout.CURRENT)): "/opt/geartrain/versions/2",
        }
        self.did.append(words)
        out = said.get(words[:2], "")
        if words[0] == "cat":
            out = systemd.units(layout.PLACE)[unit].text
        return Completed(argv=words, code=0, out=out, err="")


def test_an_upgrade_restarts_the_watcher_and_nothing_that_serves() -> None:
    machine = Prepared("/opt/geartrain/versions/1")
    assert Units().lacking(machine) == f"restart {systemd.WATCH}"
    machine.did.clear()
    Units().do(machine)
    assert [words for words in machine.did if "restart" in words] == [
        ("systemctl", "restart", systemd.WATCH)
    ]
    assert not [words for words in machine.did if "stop" in words]


def test_a_watcher_of_this_version_goes_on() -> None:
    machine = Prepared("/opt/geartrain/versions/2")
    assert Units().lacking(machine) == ""
    Units().do(machine)
    assert not [words for words in machine.did if "restart" in words]


class Served(Machine):
    """A machine whose apps have these formats of the edge's configuration."""

    def __init__(self, *formats: int | None, halted: bool = False) -> None:
        super().__init__("a machine")
        self.formats = formats
        self.halted = halted
        self.did: list[tuple[str, ...]] = []

    def run(self, *argv: object, **_: object) -> Completed:
        words = tuple(map(str, argv))
        self.did.append(words)
        out = ""
        for number, one in enumerate(self.formats):
            said = "" if one is None else f'"format":{one},'
            out += f"/apps/app{number}.json\n" if words[0] == "find" else ""
            out += f'{{"app":"app{number}",{said}"release":1}}' if words[0] == "cat" else ""
        if words[0] == "runuser":
            self.formats = tuple(FORMAT for _ in self.formats)
        code = int(words[0] == "test" and not self.halted)
        return Completed(argv=words, code=code, out=out, err="")


def test_an_upgrade_has_older_configurations_written_anew() -> None:
    machine = Served(None, FORMAT, FORMAT - 1)
    assert Edge().lacking(machine) == "write nginx's configuration anew, for app0, app2"
    Edge().do(machine)
    assert "converge" in machine.did[-1]
    assert Edge().lacking(machine) == ""


@pytest.mark.parametrize("formats", [(), (FORMAT,), (FORMAT + 1, FORMAT)])
def test_one_that_is_of_this_version_or_a_newer_one_stays(formats: tuple[int, ...]) -> None:
    assert Edge().lacking(Served(*formats)) == ""


def test_a_host_that_was_stopped_stays_so() -> None:
    assert Edge().lacking(Served(None, halted=True)) == ""
