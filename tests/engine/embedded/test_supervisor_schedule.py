"""Jobs: when they run next, and what becomes of a run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cronsim import CronSimError

from geartrain.engine import schedule
from geartrain.engine.embedded.supervisor.server import Supervisor
from geartrain.engine.embedded.supervisor.spec import Probe, ProbeKind, Spec, to_json
from tests.engine.embedded.supervisor_lab import python


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("expression", "now", "then"),
    [
        ("* * * * *", "2026-11-22T23:59:59", "2026-11-23T00:00:00"),
        ("0 3 * * *", "2026-11-22T03:00:00", "2026-11-23T03:00:00"),
        ("0 3 * * *", "2026-11-22T02:59:59", "2026-11-22T03:00:00"),
        ("*/15 9-17 * * MON-FRI", "2026-11-20T17:45:00", "2026-11-23T09:00:00"),
        ("0 0 29 2 *", "2026-11-22T00:00:00", "2028-02-29T00:00:00"),
        ("30 2 * * *", "2026-03-29T00:00:00", "2026-03-29T02:30:00"),  # no summer time in UTC
    ],
)
def test_the_next_run(
    expression: str, now: str, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for zone in ("UTC", "Europe/Berlin", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert schedule.next_run(expression, at(now)) == at(then)
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("expression", ["", "daily", "* * * *", "61 * * * *", "* * * * * * *"])
def test_what_is_no_schedule(expression: str) -> None:
    with pytest.raises(CronSimError):
        schedule.next_run(expression, 0.0)


def job(code: str, **rest: Any) -> Spec:
    probe = Probe(kind=ProbeKind.NONE, settle=0.05)
    return python("job.1.1", code, schedule="* * * * *", role="job", probe=probe, **rest)


def supervise(logs: Path, spec: Spec, then: Callable[[Supervisor], Awaitable[None]]) -> None:
    """Run a supervisor in this process, so that its clock can be another one."""

    async def main() -> None:
        supervisor = Supervisor(logs)
        await supervisor.answer({"op": "start", "specs": [to_json(spec)]})
        try:
            async with asyncio.timeout(60):
                await then(supervisor)
        finally:
            await supervisor.answer({"op": "shutdown"})

    asyncio.run(main())


async def see(supervisor: Supervisor) -> dict[str, Any]:
    found: dict[str, Any] = (await supervisor.answer({"op": "observe"}))["instances"][0]
    return found


async def until(supervisor: Supervisor, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    while not true(seen := await see(supervisor)):
        await asyncio.sleep(0.01)
    return seen


@pytest.fixture
def every_blink(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "next_run", lambda _, now: now + 0.1)


@pytest.fixture
def in_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the time is: a full minute may be near."""
    monkeypatch.setattr(schedule, "next_run", lambda _, now: now + 5 * 3600)


@pytest.mark.usefixtures("every_blink")
@pytest.mark.parametrize(
    ("code", "last"), [("pass", "last run ok"), ("raise SystemExit(4)", "failed")]
)
def test_it_runs_at_its_times_and_tells_how_it_went(tmp_path: Path, code: str, last: str) -> None:
    async def then(supervisor: Supervisor) -> None:
        seen = await until(supervisor, lambda s: s["restarts"] >= 3 and s["state"] == "scheduled")
        assert seen["note"].startswith(f"{last}; next run ")
        assert seen["note"].endswith(" UTC")

    supervise(tmp_path, job(code), then)


@pytest.mark.usefixtures("every_blink")
def test_a_run_that_takes_longer_than_the_time_between_is_not_doubled(tmp_path: Path) -> None:
    code = "import time; print('begin', flush=True); time.sleep(0.4); print('end', flush=True)"

    async def then(supervisor: Supervisor) -> None:
        await until(supervisor, lambda s: s["restarts"] >= 2 and s["state"] == "scheduled")

    supervise(tmp_path, job(code), then)
    said = [line.split(" ", 2)[2] for line in (tmp_path / "job.log").read_text().splitlines()]
    assert said[:4] == ["begin", "end", "begin", "end"]


@pytest.mark.usefixtures("in_hours")
def test_it_is_no_trouble_while_it_runs(tmp_path: Path) -> None:
    """Who looks at a full minute does not see something that is about to start."""
    states: list[str] = []

    async def then(supervisor: Supervisor) -> None:
        await supervisor.answer({"op": "restart", "names": ["job.1.1"]})
        while (seen := await see(supervisor))["restarts"] == 0:
            states.append(seen["state"])
            await asyncio.sleep(0.001)

    supervise(tmp_path, job("import time; time.sleep(0.3)"), then)
    assert set(states) - {"scheduled"} == {"ready"}


@pytest.mark.usefixtures("in_hours")
def test_a_job_that_waits_for_hours_stops_at_once(tmp_path: Path) -> None:
    async def then(supervisor: Supervisor) -> None:
        assert (await see(supervisor))["state"] == "scheduled"
        ready = await supervisor.answer({"op": "ready", "names": ["job.1.1"]})
        assert ready["instances"][0]["fine"]
        await supervisor.answer({"op": "stop", "names": ["job.1.1"]})
        assert (await supervisor.answer({"op": "observe"}))["instances"] == []

    supervise(tmp_path, job("pass"), then)


@pytest.mark.usefixtures("in_hours")
def test_it_can_be_run_now(tmp_path: Path) -> None:
    async def then(supervisor: Supervisor) -> None:
        await until(supervisor, lambda s: s["state"] == "scheduled")
        await supervisor.answer({"op": "restart", "names": ["job.1.1"]})
        await until(supervisor, lambda s: s["restarts"] == 1 and s["state"] == "scheduled")

    supervise(tmp_path, job("print('ran')"), then)
    assert (tmp_path / "job.log").read_text().endswith(" job.1.1 ran\n")
