"""What has to be done so that a release runs: pure, from what is wanted and what is seen.

Planning against the achieved state yields an empty plan. A crash between any
two steps needs no memory of them: the next plan starts from what is there.
"""

from __future__ import annotations

from geartrain.app.graph import levels
from geartrain.app.model import Order, Role, Service
from geartrain.app.release import InstanceId, Release, definition, instances
from geartrain.app.routes import sites
from geartrain.engine.protocol import Instance, Observed, State
from geartrain.release.steps import (
    Build,
    Check,
    EnsureData,
    Migrate,
    Pause,
    Record,
    Retire,
    Start,
    Step,
    StopFirst,
    Switch,
)


def plan(
    target: Release,
    live: int | None,
    observed: Observed,
    *,
    forward: bool = True,
    tested: bool = False,
) -> tuple[Step, ...]:
    """The steps from what is observed to the target, in order.

    Args:
        target: the release that should be live.
        live: the number of the release that history calls live.
        observed: what the engine sees.
        forward: run release commands; on the way back to an older release none runs.
        tested: run check commands before anything that lasts is changed.

    Raises:
        InvalidError: the target's routes do not fit together.
    """
    app = target.app
    new = target.number != live
    unwanted = _unwanted(target, observed)
    old = tuple(i.id for i in unwanted if i.state is not State.STOPPING)
    serving = {None, live, observed.routed}
    left_over = tuple(i for i in old if i.release not in serving)
    waves = _waves(target, observed, new=new)
    starting = tuple(i for wave in waves for i in wave)
    steps: list[Step] = []
    if left_over:
        steps.append(Retire(left_over))
    # What has the requests already was built and migrated: only its record is missing.
    arriving = new and observed.routed != target.number
    if starting or arriving:
        steps.append(Build(target.number))
    checked = tuple(s.name for s in app.services.values() if s.gear.check)
    if arriving and tested and checked:
        steps.append(Check(checked))
    steps += _data(app.data_services, observed, unwanted)
    if arriving and forward:
        steps += [Migrate(s.name) for s in app.services.values() if s.gear.release]
    starts = _starts(target, waves, unwanted)
    steps += starts
    if _must_switch(target, starting, old, observed):
        steps.append(Switch(target.number))
    if new:
        steps.append(Record(target.number))
    gone = {*left_over, *(i for one in steps if isinstance(one, StopFirst) for i in one.ids)}
    if rest := tuple(i for i in old if i not in gone):
        steps.append(Retire(rest))
    return tuple(steps)


def _waves(target: Release, observed: Observed, *, new: bool) -> list[tuple[InstanceId, ...]]:
    """What is not there yet; each wave depends only on those before it."""
    app = target.app
    edges = {
        name: [one.service for one in service.depends_on]
        for name, service in app.services.items()
        if service.stateless  # data services are ready before the first wave
    }
    return [
        tuple(
            i
            for name in level
            for i in instances(target, app.services[name])
            if not _there(observed, i, new=new)
        )
        for level in levels(edges)
    ]


def _unwanted(target: Release, observed: Observed) -> tuple[Instance, ...]:
    app = target.app
    wanted = {i for service in app.services.values() for i in instances(target, service)}
    found = [i for i in observed.instances if i.id not in wanted and i.role != Role.EDGE]
    # By release as a number: None, for what belongs to no release, comes first.
    return tuple(sorted(found, key=lambda i: (i.id.service, i.id.release or 0, i.id.index)))


def _there(observed: Observed, wanted: InstanceId, *, new: bool) -> bool:
    """Whether an instance needs no start. In a new release only a healthy one passes."""
    seen = observed.find(wanted)
    if seen is None:
        return False
    kept_by_engine = seen.state in (State.UNHEALTHY, State.BACKOFF)
    return seen.fine or (kept_by_engine and not new)


def _data(
    services: tuple[Service, ...], observed: Observed, unwanted: tuple[Instance, ...]
) -> list[Step]:
    steps: list[Step] = []
    for service in services:
        before = tuple(i.id for i in unwanted if i.id.service == service.name)
        if before:  # it was of a release until now, and has the same data
            steps.append(StopFirst(before, "it outlives releases from now on"))
        seen = observed.find(InstanceId(service=service.name))
        if seen is None or seen.state is not State.READY:
            steps.append(EnsureData(service.name))
        elif seen.definition != definition(service):
            steps.append(EnsureData(service.name, interrupts=True))
    return steps


def _starts(
    target: Release, waves: list[tuple[InstanceId, ...]], unwanted: tuple[Instance, ...]
) -> list[Step]:
    steps: list[Step] = []
    for wave in filter(None, waves):
        names = dict.fromkeys(i.service for i in wave)
        firsts = (_stop_first(target.app.services[name], unwanted) for name in names)
        steps += [first for first in firsts if first]
        for number, batch in enumerate(_batches(target, wave)):
            pause = max(target.app.services[i.service].update.delay for i in batch)
            if number and pause:
                steps.append(Pause(pause))
            steps.append(Start(batch))
    return steps


def _batches(target: Release, wave: tuple[InstanceId, ...]) -> list[tuple[InstanceId, ...]]:
    """A wave in parts of `update_config.parallelism` replicas of each service; 0 is all."""
    batches: list[list[InstanceId]] = []
    for name in dict.fromkeys(i.service for i in wave):
        mine = [i for i in wave if i.service == name]
        size = target.app.services[name].update.parallelism or len(mine)
        for number, start in enumerate(range(0, len(mine), size)):
            batches += [[]] if number == len(batches) else []
            batches[number] += mine[start : start + size]
    return [tuple(batch) for batch in batches]


def _stop_first(service: Service, unwanted: tuple[Instance, ...]) -> StopFirst | None:
    before = [
        i
        for i in unwanted
        if i.id.service == service.name and (i.exclusive or i.state is not State.STOPPING)
    ]
    ids = tuple(i.id for i in before)
    if ids and service.update.order is Order.STOP_FIRST:
        return StopFirst(ids, "deploy.update_config.order is stop-first")
    why = next((i.exclusive for i in before if i.exclusive), "")
    return StopFirst(ids, why) if why else None


def _must_switch(
    target: Release,
    starting: tuple[InstanceId, ...],
    old: tuple[InstanceId, ...],
    observed: Observed,
) -> bool:
    app = target.app
    if not sites(app):  # nothing answers HTTP: no edge runs
        return observed.routed is not None or any(i.role == Role.EDGE for i in observed.instances)
    moved = any(app.services[i.service].port is not None for i in starting)
    # Fewer copies of the same release: nginx must forget them before they go.
    fewer = any(i.release == target.number and i.index for i in old)
    return observed.routed != target.number or moved or fewer
