"""What `gear server prepare` knows without a machine: systems, and what goes to one."""

from __future__ import annotations

import io
import tarfile

import pytest

from geartrain.errors import GearError
from geartrain.server.prepare.payload import Payload
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
