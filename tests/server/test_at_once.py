"""What two operators do to a host in the same moment, and what a killed command leaves to the next."""

from __future__ import annotations

import io
import sys

import pytest

from geartrain.cli.app import app_env
from tests.server.pushing import HostFolder


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
