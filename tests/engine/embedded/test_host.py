"""Where a private host keeps what."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from geartrain.engine.embedded import host as hosts
from geartrain.engine.embedded.host import Host


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data lies outside the project, as for root where PostgreSQL's user may not enter."""
    monkeypatch.setattr(hosts, "SYSTEM_DATA", tmp_path / "local")
    monkeypatch.setattr(hosts, "data_user", lambda: 65534)
    monkeypatch.setattr(hosts, "reachable", lambda *_: False)


@pytest.mark.usefixtures("elsewhere")
def test_a_host_made_anew_does_not_take_over_the_data_of_a_deleted_one(tmp_path: Path) -> None:
    project = tmp_path / "shop"
    project.mkdir()

    def made() -> Path:
        host = Host(project)
        host.create()
        assert host.data.is_symlink()
        return host.data.resolve()

    first = made()
    (first / "postgres").mkdir()
    assert made() == first, "it stays where it is"
    shutil.rmtree(project / ".gear")
    second = made()
    assert second != first
    assert list(second.iterdir()) == []
    assert (first / "postgres").exists(), "nothing is deleted"
    (second / "postgres").mkdir()
    shutil.rmtree(project / ".gear")
    assert made() not in (first, second)


def test_data_that_was_deleted_in_part_is_not_taken_for_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path)
    host.create()
    volumes = [host.data / name for name in ("postgres", "uploads")]
    for volume in volumes:
        (volume / "data").mkdir(parents=True)
        for name in ("PG_VERSION", "base"):
            (volume / "data" / name).write_text("here")

    class KilledError(BaseException):
        """The command was killed."""

    def cut_off(path: Path) -> None:
        next(one for one in sorted(path.rglob("*")) if one.is_file()).unlink()
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", cut_off)
        with pytest.raises(KilledError):
            host.erase()
    for volume in volumes:
        assert not volume.exists() or len(list((volume / "data").iterdir())) == 2
    host.erase()
    assert list(host.data.iterdir()) == []


@pytest.mark.usefixtures("elsewhere")
def test_a_link_to_data_that_is_gone_is_no_end(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.create()
    host.data.resolve().rmdir()
    host.create()
    assert host.data.is_dir()


@pytest.mark.usefixtures("elsewhere")
def test_two_commands_that_make_a_host_at_once_make_one(tmp_path: Path) -> None:
    together = threading.Barrier(6)

    def make(number: int) -> None:
        host = Host(tmp_path / "shop")
        together.wait()
        host.create()
        with host.lock("a test"):
            host.remember_port(80, 8000 + number)
            host.remember_port(8000 + number, 1)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(make, range(6)))
    host = Host(tmp_path / "shop")
    assert set(host.facts.ports) == {"80", *(str(8000 + number) for number in range(6))}
    assert host.data.is_dir()


def test_what_another_command_has_decided_meanwhile_is_not_taken_back(tmp_path: Path) -> None:
    watching = Host(tmp_path)  # as `gear up --watch` has it for hours
    watching.create()
    watching.remember_port(80, 8080)
    other = Host(tmp_path)
    certificate = hosts.Certificate(fingerprint="ab", names=("localhost",), until=1.0)
    other.remember_certificate(certificate)
    address = other.address_of_data("postgres")
    watching.remember_port(81, 8081)
    assert watching.facts.certificate == certificate
    assert Host(tmp_path).facts.certificate == certificate
    assert Host(tmp_path).facts.data_addresses == {"postgres": address}
