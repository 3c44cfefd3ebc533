"""What two operators do in the same moment, and what a killed command leaves to the next."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from geartrain.cli.app import app_env
from geartrain.cli.moves import destroy
from geartrain.cli.tls import tls_settings
from geartrain.engine.home import Home
from geartrain.server import certificates
from tests.server.pushing import GEAR, Clone, HostFolder


def test_of_two_who_set_a_variable_neither_takes_back_the_other_s(
    host: HostFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.create("shop")

    class Typing(io.StringIO):
        """Somebody takes a while to type a value."""

        def read(self, _: int | None = -1, /) -> str:
            host.gear("app", "env", "shop", "OTHER=2")
            return "1\n"

    monkeypatch.setattr(sys, "stdin", Typing())
    app_env.main(["shop", "KEY", "--host-dir", str(host.folder)], standalone_mode=False)
    monkeypatch.undo()
    assert host.gear("app", "env", "shop").out.split() == ["KEY", "OTHER"]
    assert host.gear("app", "env", "shop", "--unset", "OTHER").out.split() == ["KEY"]


def test_of_two_who_make_an_app_both_are_told_its_remote(host: HostFolder) -> None:
    made = [
        subprocess.Popen(
            [*GEAR, "app", "create", "shop"], env=host.environment(), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    said = [one.communicate(timeout=60)[0] for one in made]
    assert [one.returncode for one in made] == [0] * 4, said


@pytest.mark.parametrize("words", [(), ("--data",)])
def test_an_app_that_was_destroyed_in_part_is_made_anew(
    shop: Clone, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    shop.push()

    class KilledError(BaseException):
        """The command was killed."""

    def cut_off(path: Path, **_: object) -> None:
        if list(path.rglob("HEAD")):
            for one in path.rglob("objects"):
                real(one)
            raise KilledError
        real(path, ignore_errors=True)

    real = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", cut_off)
    with pytest.raises(KilledError):
        destroy.main(
            ["shop", "--yes", *words, "--host-dir", str(shop.host.folder)], standalone_mode=False
        )
    monkeypatch.undo()
    assert shop.host.gear("app", "list", "--json").json() == []
    shop.host.create("shop")
    shop.host.gear("app", "env", "shop", f"EDGE_PORT={shop.port}", "STOP_GRACE=2s")
    shop.push()
    assert shop.body() == "hello 1\n"
    shop.host.gear("destroy", "shop", "--data", "--yes")
    assert [one.name for one in (shop.host.folder / "apps").iterdir()] == []


def test_an_app_whose_settings_were_lost_is_made_again_with_all_that_is_there(shop: Clone) -> None:
    shop.push()
    (shop.state / "app.json").unlink()
    shop.host.create("shop")
    assert shop.host.gear("status", "--json").json()[0]["state"] == "ok"
    assert shop.remote() == shop.head()


def test_who_waits_for_an_app_that_is_destroyed_makes_no_part_of_it(shop: Clone) -> None:
    shop.push()
    home = Home(shop.folder, shop.state)
    with home.lock("a test"):
        waiting = subprocess.Popen(
            [*GEAR, "scale", "web=2", "--app", "shop"], env=shop.host.environment(),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert waiting.stderr is not None
        assert "waiting for a test" in waiting.stderr.readline()
        (shop.state / "app.json").rename(shop.host.folder / "app.json")
        (shop.state / "repo.git").rename(shop.host.folder / "repo.git")
    said = waiting.communicate(timeout=60)[1]
    assert "there is no app 'shop'" in said
    assert not (shop.state / "repo.git").exists()


def test_a_port_that_was_decided_is_served_by_the_same_command_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = HostFolder(tmp_path / "host")
    host.gear("host", "init", "--engine", "docker")
    served: list[object] = []

    class KilledError(BaseException):
        """The command was killed."""

    def cut_off(app: object, _: str) -> None:
        served.append(app)
        if len(served) == 1:
            raise KilledError

    monkeypatch.setattr(certificates, "live", lambda _: [("shop", None)])
    monkeypatch.setattr(certificates, "bring_about", cut_off)
    words = ["--port", "8443", "--host-dir", str(host.folder)]
    with pytest.raises(KilledError):
        tls_settings.main(words, standalone_mode=False)
    tls_settings.main(words, standalone_mode=False)
    assert served == ["shop", "shop"]
