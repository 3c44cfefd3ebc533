"""Which release the source is: a known one, or the next number."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from geartrain.app.model import App
from geartrain.app.release import Release
from geartrain.release import git, target
from geartrain.release.history import Desired
from geartrain.testing.apps import app, web

SHOP = app(web())


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    folder = tmp_path / "host" / "releases"
    folder.mkdir(parents=True)
    return folder


class Choosing:
    """A host's releases, and what would be chosen for a source."""

    def __init__(self, repository: Path, releases: Path) -> None:
        self.repository = repository
        self.releases = releases
        self.desired = Desired()

    def choose(self, replicas: int, shop: App = SHOP) -> Release:
        shop = replace(shop, services={"web": replace(shop.services["web"], replicas=replicas)})
        tree = git.Git(self.repository)("mktree", stdin="")
        return target.choose(
            self.repository, self.releases, shop, tree, self.desired, summary="by me"
        )

    def save(self, replicas: int) -> Release:
        return target.save(self.repository, self.releases, self.choose(replicas))

    def live(self, replicas: int) -> Release:
        made = self.save(replicas)
        self.desired = Desired(live=made.number, last=max(self.desired.last, made.number))
        return made


@pytest.fixture
def host(repository: Path, releases: Path) -> Choosing:
    return Choosing(repository, releases)


def test_the_first_release_is_1(host: Choosing) -> None:
    assert host.choose(1).number == 1
    assert list(host.releases.iterdir()) == [], "choosing changes nothing"


def test_the_same_source_is_the_same_release(host: Choosing) -> None:
    made = host.live(1)
    assert host.choose(1) == made
    assert host.choose(2).number == 2


def test_a_failed_release_s_number_is_not_given_out_again(host: Choosing) -> None:
    host.live(1)
    failed = host.save(2)
    host.desired = Desired(live=1, last=failed.number)
    assert host.choose(3).number == 3
    assert host.choose(1).number == 1, "back to what is live"


def test_a_crash_before_anything_was_recorded_uses_the_number_up(host: Choosing) -> None:
    host.save(1)
    assert host.choose(2).number == 2


def test_a_crash_before_the_record_is_taken_up_again(host: Choosing) -> None:
    host.live(1)
    broken_off = host.save(2)
    assert host.choose(2) == broken_off


def test_numbers_go_on_after_folders_were_deleted(host: Choosing) -> None:
    made = host.live(1)
    host.desired = Desired(live=1, last=9)
    for path in (host.releases / "1").iterdir():
        path.unlink()
    (host.releases / "1").rmdir()
    assert target.read(host.releases, made.number) is None
    assert host.choose(1).number == 10


@pytest.mark.parametrize("text", [b"", b"{", b'{"number": 1}', b"\0" * 100])
def test_a_damaged_release_is_as_good_as_none(host: Choosing, text: bytes) -> None:
    host.live(1)
    (host.releases / "1" / "release.json").write_bytes(text)
    assert target.read(host.releases, 1) is None
    assert host.choose(1).number == 2


def test_a_release_is_kept_whole_and_to_its_owner_alone(host: Choosing) -> None:
    made = host.live(1)
    file = host.releases / "1" / "release.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert target.read(host.releases, 1) == made
    named = git.Git(host.repository)("rev-parse", "refs/gear/releases/1")
    assert named == made.commit
    assert git.Git(host.repository)("log", "-1", "--format=%s", named) == "release 1"
    assert target.save(host.repository, host.releases, made) == made


def kept(host: Choosing) -> set[int]:
    refs = git.Git(host.repository)("for-each-ref", "--format=%(refname)", "refs/gear/releases")
    numbers = {int(ref.rpartition("/")[2]) for ref in refs.split()}
    assert numbers == {int(path.name) for path in host.releases.iterdir()}
    return numbers


def pruned(host: Choosing, keep: set[int | None], count: int = 5) -> tuple[int, ...]:
    return target.prune(host.repository, host.releases, keep, range(1, 10), count)


def test_old_releases_go_and_those_in_use_stay(host: Choosing) -> None:
    for replicas in range(1, 10):
        host.live(replicas)
    gone = target.prune(
        host.repository, host.releases, keep={9, 2, None}, proven=set(range(1, 10)), count=5
    )
    assert gone == (1, 3, 4, 5)
    assert kept(host) == {2, 6, 7, 8, 9}
    assert (
        target.prune(
            host.repository, host.releases, keep={9, 2, None}, proven=set(range(1, 10)), count=5
        )
        == ()
    )


def test_what_never_was_live_goes_first() -> None:
    assert target.superfluous(range(1, 9), keep={8, None}, proven={1, 2, 8}, count=5) == (3, 4, 5)
    assert target.superfluous(range(1, 9), keep={3, 8}, proven={1, 2, 8}, count=3) == (
        4,
        5,
        6,
        7,
        1,
    )


def test_what_must_stay_stays_even_beyond_the_count(host: Choosing) -> None:
    for replicas in range(1, 9):
        host.live(replicas)
    pruned(host, {1, 2, 3, 4, 5, 6}, count=3)
    assert kept(host) == {1, 2, 3, 4, 5, 6}


def test_pruning_goes_on_where_a_crash_ended_it(host: Choosing) -> None:
    for replicas in range(1, 8):
        host.live(replicas)
    git.Git(host.repository)("update-ref", "-d", "refs/gear/releases/1")
    assert target.prune(
        host.repository, host.releases, keep={7}, proven=set(range(1, 8)), count=5
    ) == (1, 2)
    assert kept(host) == {3, 4, 5, 6, 7}


def test_nobody_goes_back_to_a_release_that_was_deleted_in_part(
    host: Choosing, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 4):
        source = host.releases / str(host.live(number).number) / "src"
        source.mkdir()
        (source / "app.py").write_text("print()")

    class KilledError(BaseException):
        """The command was killed."""

    def cut_off(path: Path, **_: object) -> None:
        (path / "src" / "app.py").unlink()
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", cut_off)
        with pytest.raises(KilledError):
            pruned(host, {3}, count=2)
    assert [one.number for one in target.kept(host.releases)] == [2, 3]
    assert pruned(host, {3}, count=2) == (1,)
    assert not (host.releases / "1").exists()
