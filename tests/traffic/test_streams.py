"""WebSockets and event streams outlive a switch until the drain limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.traffic.running import project, until
from tests.traffic.streaming import event, event_stream, frame, of_the_new, opened, web_socket

pytestmark = [pytest.mark.load, pytest.mark.timeout(300)]

DRAIN = 4.0


def test_open_streams_go_on_until_the_drain_limit(
    tmp_path: Path, tell: Callable[..., None]
) -> None:
    with (
        project(tmp_path / "streams", drain=f"{DRAIN:g}s") as made,
        opened([web_socket(made.address, "1"), event_stream(made.address, "1")]) as old,
    ):
        before = made.pid("backend")
        made.write_version("2")
        began = time.monotonic()
        made.up()
        live = time.monotonic()
        assert not any(stream.ended for stream in old), "they live on after the switch"
        kinds = (web_socket, event_stream)
        with opened([of_the_new(kind, made.address, "2") for kind in kinds]) as new:
            until(lambda: all(stream.ended for stream in old), "the drain limit ends them")
            # The limit counts from the switch, which lies between these two moments.
            for stream in old:
                assert stream.ended - began >= DRAIN
                assert stream.ended - live <= DRAIN + 5
                assert stream.last - began >= DRAIN - 1, "it told something until the end"
                assert not any(said("2") in stream.seen for said in (frame, event))
            until(lambda: not Path(f"/proc/{before}").exists(), "the old instance ends")
            seen = [len(stream.seen) for stream in new]
            until(
                lambda: all(len(s.seen) > n for s, n in zip(new, seen, strict=True)),
                "the new streams go on",
            )
            assert not any(stream.ended for stream in new)
        tell(
            drain=f"{DRAIN:g} s",
            **{"ended after the switch": [f"{s.ended - live:.2f} s" for s in old]},
        )
