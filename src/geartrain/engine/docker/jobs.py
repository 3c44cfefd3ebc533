"""Scheduled jobs: the container of a job waits until it is started, runs once, and waits again.

What starts it when it is due is `geartrain.server.watch`, or `geartrain.server.schedule`.
How the last run went is noted in `run/jobs/`, where it outlives the release that it was of.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

import msgspec

from geartrain import durable
from geartrain.app.release import InstanceId
from geartrain.engine import aside, schedule
from geartrain.engine.docker import observing, retiring
from geartrain.engine.docker.client import docker
from geartrain.engine.docker.host import DockerHome
from geartrain.engine.docker.observing import Container
from geartrain.engine.protocol import Instance, State
from geartrain.errors import Exit, GearError
from geartrain.render import containers

LOCK = "jobs.lock"  # in the host's folder: of the process that starts them
AT_MOST = 7 * 86400.0  # seconds for one run
LINES = 30


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run that has ended. Times are Unix seconds; `why` says what went wrong."""

    release: int
    began: float
    ended: float
    code: int
    why: str = ""
    tail: tuple[str, ...] = ()


def run(home: DockerHome, service: str, release: int) -> Run:
    """Run a job now, to its end; never twice at once, whoever asks.

    Args:
        home: the app's home.
        service: the job.
        release: the live release, whose job it is.

    Raises:
        GearError: it runs already (`Exit.BUSY`), or cannot be started.
    """
    fd = aside.take(home.run / f"job-{service}.lock")
    try:
        mine = [one for one in observing.of_app(home) if _is(one, service)]
        busy = next((one for one in mine if one.running), None)
        if fd is None or busy is not None:
            since = time.strftime(" since %H:%M:%S", time.localtime(busy.started)) if busy else ""
            raise GearError(f"{service} runs already{since}", code=Exit.BUSY)
        wanted = InstanceId(service=service, release=release)
        found = next((one for one in mine if one.instance == wanted), None)
        if found is None:
            raise GearError(
                f"the container of {service} is not there", remedy="`gear converge` makes it again"
            )
        done = _run(home, found, release)
        place = home.run / "jobs"
        place.mkdir(mode=0o700, exist_ok=True)
        durable.write(place / f"{service}.json", msgspec.json.encode(done), 0o600)
        return done
    finally:
        if fd is not None:
            os.close(fd)


def _is(one: Container, service: str) -> bool:
    return one.probe == "schedule" and one.instance is not None and one.instance.service == service


def _run(home: DockerHome, found: Container, release: int) -> Run:
    began = time.time()
    docker("start", "--", found.id)
    said = docker("wait", "--", found.id, timeout=AT_MOST, check=False).out.strip()
    ended = time.time()
    after = next(iter(observing.inspect(found.id)), None)
    code = after.state.code if after else int(said) if said.isdecimal() else 1
    why = "" if not code else observing.ended_with(after) if after else "was stopped"
    tail = _tail(home, found, began)
    return Run(release=release, began=began, ended=ended, code=code, why=why, tail=tail)


def _tail(home: DockerHome, found: Container, began: float) -> tuple[str, ...]:
    """What a run said last."""
    lines = docker("logs", f"--since={began:.3f}", f"--tail={LINES}", "--", found.id, check=False)
    if lines.code == 0:
        return tuple((lines.out + lines.err).splitlines()[-LINES:])
    # Another release is live by now, and this one's container went as soon as it had ended.
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began))
    said = retiring.kept_log(home, found)
    return tuple(line.partition(" ")[2] for line in said if line >= since)[-LINES:]


def last(home: DockerHome, service: str) -> Run | None:
    """How a job went last, whatever release it was of."""
    try:
        text = (home.run / "jobs" / f"{service}.json").read_bytes()
        return msgspec.json.decode(text, type=Run)
    except (OSError, msgspec.DecodeError):
        return None


def noted(
    home: DockerHome, found: Sequence[Container], seen: Sequence[Instance]
) -> tuple[Instance, ...]:
    """Instances as they are, with each job's last run and its next one."""
    when = {one.instance: one.labels.get(containers.SCHEDULE, "") for one in found}
    if not any(when.values()):
        return tuple(seen)
    attended = aside.held(home.host.folder / LOCK)
    return tuple(_noted(home, one, when, attended=attended) for one in seen)


def _noted(
    home: DockerHome, one: Instance, when: Mapping[InstanceId | None, str], *, attended: bool
) -> Instance:
    cron = when.get(one.id)
    if not cron or one.state is not State.SCHEDULED:
        return one
    before = last(home, one.id.service)
    said = [] if before is None else [f"last run {before.why}" if before.code else "last run ok"]
    if attended:
        said.append(schedule.told(schedule.next_run(cron, time.time())))
    else:
        said.append("nothing starts it: `gear converge`")
    return msgspec.structs.replace(
        one, note="; ".join(said), since=before.began if before else 0.0,
        code=before.code if before else None,
    )  # fmt: skip
