"""The kernel's log is read for what Docker misses."""

from __future__ import annotations

from pathlib import Path

from geartrain.engine.docker.oom import killed

ID = "4a05209fa46e2de7743bb24d66fcaa5413dae9e65e3f1cfa86f040d144c09a0f"
LINE = "6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg={0},task_memcg={0},task=python\n"


def test_the_container_that_was_killed_is_known_by_its_group(tmp_path: Path) -> None:
    log = tmp_path / "kmsg"
    for group in (f"/docker/{ID}", f"/system.slice/docker-{ID}.scope"):
        log.write_text(LINE.format(group))
        assert killed(ID, log)
        assert not killed("b" * 64, log)
    log.write_text(f"6,1,2,-;docker0: {ID} left\n")
    assert not killed(ID, log)


def test_without_the_log_nothing_is_claimed(tmp_path: Path) -> None:
    assert not killed(ID, tmp_path / "kmsg")
