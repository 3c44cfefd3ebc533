"""Room on the disk, and the package index that a build gets from its machine."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from geartrain.engine.docker import space
from geartrain.engine.docker.builds import indexes
from geartrain.errors import GearError


def room(free: int, inodes: int = -1) -> space.Space:
    return space.Space(folder="/var/lib/docker", free=free, total=50_000_000_000, inodes=inodes)


def test_too_little_room_is_told_with_figures() -> None:
    with pytest.raises(GearError) as error:
        space.check(room(1_500_000_000), last=400_000_000, service="web")
    assert error.value.what == (
        "too little room to build web: 1.5 GB of 50.0 GB are free in /var/lib/docker,"
        " and it needs 1.9 GB"
    )
    assert "gear images prune" in error.value.remedy


def test_enough_room() -> None:
    space.check(room(1_500_000_000), last=0, service="web")
    space.check(room(50_000_000_000, inodes=1_000_000), last=0, service="web")


def test_file_systems_run_out_of_files_too() -> None:
    with pytest.raises(GearError, match="12 more files"):
        space.check(room(40_000_000_000, inodes=12), last=0, service="web")


def info(*driver: tuple[str, str]) -> bytes:
    """What Docker 29 says, in part."""
    return msgspec.json.encode({"DockerRootDir": "/var/lib/docker", "DriverStatus": driver})


@pytest.mark.parametrize(
    ("said", "folders"),
    [
        (info(space.SNAPSHOTTER), ("/var/lib/docker", "/var/lib/containerd")),
        (info(("Backing Filesystem", "extfs")), ("/var/lib/docker",)),
        (b'{"DockerRootDir": "/var/lib/docker", "DriverStatus": null}', ("/var/lib/docker",)),
    ],
)
def test_where_docker_keeps_things(said: bytes, folders: tuple[str, ...]) -> None:
    assert msgspec.json.decode(said, type=space.Info).folders == folders


def test_the_disk_with_least_room_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = {"/a": room(5_000_000_000), "/b": room(1_000_000_000)}
    monkeypatch.setattr(space, "folders", lambda: ("/a", "/b"))
    monkeypatch.setattr(space, "look", rooms.get)
    assert space.measured() == rooms["/b"]
    monkeypatch.setattr(space, "folders", lambda: ())
    assert space.measured() is None


def test_a_build_is_ended_while_others_still_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    before, now = room(5_000_000_000), [room(4_000_000_000), room(500_000_000)]
    monkeypatch.setattr(space, "look", lambda _: now.pop(0))
    guard = space.Guard(before, "web")
    assert not guard.full()
    guard.judge()
    assert guard.full()
    assert guard.full(), "what ends makes room again"
    with pytest.raises(GearError) as error:
        guard.judge()
    assert error.value.what == (
        "the build of web was ended before it filled the disk: it took 4.5 GB, and 500 MB of"
        " 50.0 GB were left in /var/lib/docker"
    )


def test_nothing_is_set_on_most_machines(tmp_path: Path) -> None:
    found = indexes.of_user({"HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null"})
    assert found.default == ""


def test_the_settings_of_pip_and_uv(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://me:s3cret@pypi.example/simple\n"
        "extra-index-url =\n    https://two.example/simple\n    file:///opt/wheels\n"
        "trusted-host = pypi.example\n[install]\nno-binary = x\n"
    )
    environ = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    files = indexes.of_user(environ).files()
    assert files[indexes.PIP_FILE] == (
        "[global]\nindex-url = https://me:s3cret@pypi.example/simple\nextra-index-url =\n"
        "    https://two.example/simple\ntrusted-host =\n    pypi.example\n"
    )
    assert files[indexes.UV_FILE] == (
        'allow-insecure-host = ["pypi.example"]\n'
        '[[index]]\nurl = "https://two.example/simple"\n'
        '[[index]]\nurl = "https://me:s3cret@pypi.example/simple"\ndefault = true\n'
    )
    other = indexes.of_user({**environ, "UV_DEFAULT_INDEX": "https://uv.example/simple"})
    assert other.default == "https://uv.example/simple"
    named = indexes.of_user({**environ, "UV_INDEX": "own=https://own.example/simple"})
    assert named.extra == ("https://own.example/simple",)


def test_a_file_that_cannot_be_read_is_pips_to_complain_about() -> None:
    assert indexes.read_pip(["nonsense", "[global]\nindex-url = https://x\n"]) == {
        "index-url": "https://x"
    }


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:3141/root/pypi", True),
        ("http://localhost:3128", True),
        ("localhost:3128", True),
        ("http://[::1]:80/", True),
        ("https://index.example/simple", False),
        ("http://localhost.example/", False),
    ],
)
def test_what_is_reached_on_this_machine_only(address: str, here: bool) -> None:
    assert indexes.loopback([address]) == here
