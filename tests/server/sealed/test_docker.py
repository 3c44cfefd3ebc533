"""Secrets on a host with Docker: seeded values are looked for wherever they could be left."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from geartrain.engine.memory import in_memory
from tests.cli.running import until
from tests.dockerd import DOCKER, docker
from tests.server.pushing import hooks, on_docker
from tests.server.sealed.canaries import CommandLines, Search
from tests.server.sealed.seeded import APP, Seeded

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def shop(docker_daemon: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    place = tmp_path_factory.mktemp("seeded")
    with on_docker(place, "seeded") as clone:
        shutil.rmtree(clone.folder / "__pycache__", ignore_errors=True)
        yield Seeded(clone, place / "alice")


SMALL = 2**22  # bytes; a value that leaks into a temporary file or a log is in a small one


def instances(shop: Seeded) -> list[str]:
    """The names of containers that have the secrets: all but the edge."""
    names = shop.listed("ps", "--all", "--format={{.Names}}")
    return [name for name in names if "--r" in name or "-vault-" in name]


def test_values_are_in_the_instances_and_in_memory_alone(shop: Seeded) -> None:
    clone, search = shop.clone, Search(shop.values)
    said = ""
    with CommandLines(search) as lines:
        said += clone.push().err
        assert clone.body() == "1"
        shop.change("API_TOKEN")
        second = Search({"API_TOKEN, the second": shop.values["API_TOKEN"]})
        search.forms = search.forms | second.forms  # another one: a thread goes through it
        shop.version("2")
        said += clone.push().err
        assert clone.body() == "2"
        for words in (
            ("scale", "web=2"),
            ("run", "web", "python", "app.py", "one-off"),
            ("job", "run", "report"),
            ("restart",),
            ("rollback", "--yes"),
            ("scale", "web=1"),
        ):
            done = clone.gear(*words)
            said += done.out + done.err
        assert clone.body() == "1", "with the token of its own"
        clone.write("app.py", APP.replace("http.server.Threading", "sys.exit('not today')\n    #"))
        clone.commit("a version that fails")
        failed = clone.refused()
        assert "not today" in failed
        assert "release 1 goes on serving" in failed
        said += failed + clone.gear("ps").out + clone.gear("logs").out + clone.gear("releases").out
    until(lambda: not hooks(clone), "nobody watches it any more")
    clone.write("app.py", APP)
    clone.commit("as it was")

    assert search.text(said) == []
    assert lines.found == set()
    assert any(b"docker" in line for line in lines.seen), "the search sees command lines"

    state, memory = clone.host.folder, shop.memory
    assert search.folder(state) == []
    assert search.folder(clone.folder) == []
    assert search.objects(clone.state / "repo.git") == []
    images = [one for one in shop.listed("images", "--quiet", "--no-trunc") if one]
    assert images
    assert search.images(*sorted(set(images))) == []
    for kind in ("network", "volume"):
        names = shop.listed(kind, "ls", "--quiet")
        assert not names or search.text(docker(kind, "inspect", *names)) == []
    own = instances(shop)
    others = set(shop.listed("ps", "--all", "--format={{.Names}}")) - set(own)
    assert others, "the edge"
    assert search.text(docker("inspect", *others)) == []
    for name in own:
        # Its own environment is shown of an instance, and nothing that it has as a file.
        assert search.text(docker("inspect", name)) == ["STRIPE_KEY"]
        assert search.text(docker("logs", name)) == []
    root = Path(docker("info", "--format={{.DockerRootDir}}"))
    mine = tuple(root / "containers" / docker("inspect", "--format={{.Id}}", name) for name in own)
    for part in ("buildkit", "image", "containers", "network", "volumes"):
        assert search.folder(root / part, since=shop.began, but=mine) == []
    built = [p for p in (root / "overlay2").glob("*/diff/app") if p.stat().st_mtime >= shop.began]
    assert built, "what the builder keeps of each line"
    for folder in built:
        assert search.folder(folder) == []
    # Other tests' folders are theirs; this one's host and clone are searched above.
    theirs = tuple(Path("/tmp").glob("pytest-of-*"))
    for place in (Path("/var/log"), Path("/run/log"), Path("/tmp"), Path("/var/tmp")):
        assert search.folder(place, since=shop.began, most=SMALL, but=theirs) == []

    # And they are where they are to be: the search finds what is there.
    assert in_memory(memory)
    found = search.folder(memory)
    assert {Path(line.partition(":")[0]).name for line in found} == {
        "compose.json", "token", "SIGNING_KEY"
    }  # fmt: skip
    assert [path.name for path in (memory / "releases").iterdir()] == ["1"], "2 and 3 are gone"
    for path in (memory, *memory.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert path.is_file() or mode == 0o700, path
    sys.stderr.write(f"\nsearched {search.bytes / 2**20:,.0f} MB, {len(images)} images,"
                     f" {len(lines.seen)} command lines\n")  # fmt: skip


def test_what_memory_has_lost_is_put_back(shop: Seeded) -> None:
    """As after a reboot, when Docker has started its containers before Geartrain came to it."""
    clone, memory = shop.clone, shop.memory
    own = instances(shop)
    web = next(name for name in own if "-web-" in name)
    report = next(name for name in own if "-report-" in name)
    token = memory / "releases" / "1" / "secrets" / "token"
    shutil.rmtree(memory)
    token.mkdir(parents=True)  # what an older Docker makes of a file that it does not find
    docker("kill", *(name for name in own if name != report))
    for name in own:
        assert "rror" in fails("start", name), name
    assert clone.get()[0] != 200
    assert clone.gear("converge", "--json").json()[0]["steps"]
    assert clone.body() == "1"
    assert token.is_file()
    assert "report" in clone.gear("job", "run", "report").err + clone.gear("ps").out
    assert clone.gear("converge", "--json").json()[0]["steps"] == []

    # What runs goes on when its files are lost, and finds them when it starts again.
    shutil.rmtree(memory)
    assert clone.body() == "1"
    assert clone.gear("converge", "--json").json()[0]["steps"] == []
    assert token.is_file()
    docker("restart", web)
    until(lambda: clone.body() == "1", "it is there again")
    clone.gear("restart", "web")
    assert clone.body() == "1"


def fails(*words: str) -> str:
    """What Docker says to something that it cannot do."""
    done = subprocess.run([DOCKER, *words], capture_output=True, text=True, check=False)
    assert done.returncode
    return done.stderr


def test_a_file_that_changed_is_another_release(shop: Seeded) -> None:
    """Its value is nowhere in the Compose file: the mark of it is."""
    clone = shop.clone
    before = clone.gear("releases", "--json").json()["live"]
    shop.change("SIGNING_KEY")
    shop.version("changed")
    clone.push()
    after = clone.gear("releases", "--json").json()["live"]
    assert after != before
    assert clone.body() == "changed"
    until(
        lambda: [p.name for p in (shop.memory / "releases").iterdir()] == [str(after)],
        "the old release's files are gone with its last instance",
    )


def test_nothing_is_left_of_an_app_that_is_destroyed(shop: Seeded) -> None:
    memory = shop.memory
    shop.clone.gear("down")
    assert not memory.exists()
    shop.clone.gear("converge")
    assert shop.memory == memory
    shop.clone.gear("destroy", shop.clone.app, "--data", "--yes")
    assert not memory.exists()
