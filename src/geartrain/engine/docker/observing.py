"""What runs of an app, as Docker tells it: containers found by their labels."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import msgspec

from geartrain.app.model import Role
from geartrain.app.release import InstanceId
from geartrain.engine.docker import api, oom, probing
from geartrain.engine.docker.client import docker
from geartrain.engine.docker.host import DockerHome
from geartrain.engine.protocol import Instance, State
from geartrain.render import containers

YOUNG = 30.0  # seconds in which one that does not answer yet counts as starting


class _Health(msgspec.Struct):
    status: str = msgspec.field(name="Status", default="")


class _State(msgspec.Struct):
    status: str = msgspec.field(name="Status")
    pid: int = msgspec.field(name="Pid", default=0)
    code: int = msgspec.field(name="ExitCode", default=0)
    out_of_memory: bool = msgspec.field(name="OOMKilled", default=False)
    error: str = msgspec.field(name="Error", default="")
    started: str = msgspec.field(name="StartedAt", default="")
    health: _Health | None = msgspec.field(name="Health", default=None)


class _Check(msgspec.Struct):
    test: list[str] | None = msgspec.field(name="Test", default=None)


class _Config(msgspec.Struct):
    check: _Check | None = msgspec.field(name="Healthcheck", default=None)
    labels: dict[str, str] | None = msgspec.field(name="Labels", default=None)
    image: str = msgspec.field(name="Image", default="")


class _Ipam(msgspec.Struct):
    address: str = msgspec.field(name="IPv4Address", default="")


class _Endpoint(msgspec.Struct):
    address: str = msgspec.field(name="IPAddress", default="")
    fixed: _Ipam | None = msgspec.field(name="IPAMConfig", default=None)


class _Networks(msgspec.Struct):
    networks: dict[str, _Endpoint] = msgspec.field(name="Networks", default_factory=dict)


class _Limits(msgspec.Struct):
    memory: int = msgspec.field(name="Memory", default=0)


class _Listed(msgspec.Struct):
    id: str = msgspec.field(name="Id")


class _Mount(msgspec.Struct):
    kind: str = msgspec.field(name="Type", default="")
    name: str = msgspec.field(name="Name", default="")
    source: str = msgspec.field(name="Source", default="")
    writable: bool = msgspec.field(name="RW", default=True)


class Container(msgspec.Struct):
    """A container, as far as `docker inspect` is read."""

    id: str = msgspec.field(name="Id")
    name: str = msgspec.field(name="Name")
    state: _State = msgspec.field(name="State")
    config: _Config = msgspec.field(name="Config")
    settings: _Networks = msgspec.field(name="NetworkSettings")
    limits: _Limits = msgspec.field(name="HostConfig")
    mounts: list[_Mount] = msgspec.field(name="Mounts", default_factory=list)
    restarts: int = msgspec.field(name="RestartCount", default=0)

    @property
    def labels(self) -> Mapping[str, str]:
        """What it says of itself."""
        return self.config.labels or {}

    @property
    def instance(self) -> InstanceId | None:
        """Which instance it is."""
        return containers.identify(self.labels)

    @property
    def running(self) -> bool:
        """True while its first process runs."""
        return self.state.status == "running"

    @property
    def ended(self) -> bool:
        """True once its first process has ended and is not started again."""
        return self.state.status in ("exited", "dead")

    @property
    def settled(self) -> bool:
        """True for what needs no start: it runs, waits for its time, or has ended well for good."""
        done = self.probe == "exit" and self.state.status == "exited" and self.state.code == 0
        return self.running or self.probe == "schedule" or done

    @property
    def started(self) -> float:
        """When it started last, as a Unix time."""
        return moment(self.state.started)

    @property
    def address(self) -> str:
        """Where this machine reaches it."""
        fixed = [e.fixed.address for e in self.settings.networks.values() if e.fixed]
        given = [e.address for e in self.settings.networks.values()]
        return next(filter(None, (*fixed, *given)), "")

    @property
    def role(self) -> str:
        """Its service's role."""
        return self.labels.get(containers.ROLE, "")

    @property
    def probe(self) -> str:
        """How its readiness is found out."""
        return self.labels.get(containers.PROBE, "")


def moment(text: str) -> float:
    """A time as Docker writes it (RFC 3339 with nanoseconds), as a Unix time."""
    head, _, fraction = text.rstrip("Z").partition(".")
    if not head or head.startswith("0001"):
        return 0.0
    whole = datetime.fromisoformat(f"{head}+00:00").timestamp()
    return whole + (float(f"0.{fraction}") if fraction.isdigit() else 0.0)


def of_app(home: DockerHome) -> tuple[Container, ...]:
    """Every container of an app, whatever it does."""
    return labelled(home.labels)


def labelled(labels: Mapping[str, str]) -> tuple[Container, ...]:
    """Every container with these labels, running or not."""
    chosen = containers.filters(labels)
    listed = api.get(list[_Listed], "containers", "json", all="1", filters=chosen)
    return inspect(*(one.id for one in listed or ()))


def inspect(*names: str) -> tuple[Container, ...]:
    """Containers by name or id; those that are not there are left out."""
    found = (api.get(Container, "containers", name, "json") for name in names)
    return tuple(one for one in found if one is not None and one.state.status != "removing")


def instances(
    found: Sequence[Container], stopping: frozenset[str], unsettled: frozenset[str]
) -> tuple[Instance, ...]:
    """What containers are as instances; those that run are asked, all at once.

    Args:
        found: the containers.
        stopping: ids of those that are about to go.
        unsettled: data services whose first contents are not finished.
    """
    asked = [one for one in found if one.running and one.id not in stopping]
    with ThreadPoolExecutor(max(1, min(16, len(asked)))) as pool:
        answers = dict(zip((one.id for one in asked), pool.map(wrong, asked), strict=True))
    seen = []
    for one in found:
        if (who := one.instance) is not None:
            trouble = answers.get(one.id, "")
            if who.service in unsettled and who.release is None:
                trouble = "its roles are not made yet"
            state = State.STOPPING if one.id in stopping else _state(one, trouble)
            seen.append(_instance(one, who, state, trouble))
    return tuple(sorted(seen, key=lambda i: (i.id.service, i.id.release or 0, i.id.index)))


def wrong(one: Container) -> str:
    """What keeps a container that runs from being ready, or ""."""
    health = one.state.health.status if one.state.health else ""
    if one.probe == "command":
        return "" if health == "healthy" or _checks(one) else f"its healthcheck says {health}"
    if one.probe == "settle":
        left = probing.SETTLES - (time.time() - one.started)
        return "it started just now" if left > 0 else ""
    if one.probe == "exit":
        return "it has not ended yet"
    return probing.attempt(one.probe, one.address)


def _checks(one: Container) -> bool:
    """Run a healthcheck that Docker has not come to yet: its first run is an interval away."""
    test = (one.config.check.test if one.config.check else None) or []
    unknown = one.state.health is None or one.state.health.status == "starting"
    if not unknown or test[:1] != ["CMD"]:
        return False
    return docker("exec", one.id, *test[1:], check=False).code == 0


def _state(one: Container, trouble: str) -> State:
    match one.state.status:
        case "running" if not trouble:
            return State.READY
        case "running":
            return State.STARTING if _young(one) else State.UNHEALTHY
        case "restarting":
            return State.BACKOFF
        case "created" if one.probe == "schedule":
            return State.SCHEDULED
        case "created":
            return State.STARTING
        case "exited" if one.probe == "schedule":
            return State.SCHEDULED
        case "exited" if one.probe == "exit" and one.state.code == 0:
            return State.EXITED
        case "paused":
            return State.UNHEALTHY
        case _:
            return State.FAILED


def _young(one: Container) -> bool:
    return one.probe == "exit" or time.time() - one.started < YOUNG


def _instance(one: Container, who: InstanceId, state: State, trouble: str) -> Instance:
    ended = one.state.status in ("exited", "dead", "restarting")
    note = ended_with(one) if ended and state is not State.EXITED else ""
    if state is State.UNHEALTHY:
        note = trouble or one.state.status
    port = one.labels.get(containers.PORT, "")
    return Instance(
        id=who,
        role=one.role,
        state=state,
        address=one.address,
        port=int(port) if port.isdigit() else 0,
        pid=one.state.pid,
        version=one.config.image,
        since=one.started,
        restarts=one.restarts,
        note=note,
        code=one.state.code if ended else None,
        definition=one.labels.get(containers.DEFINITION, ""),
    )


def ended_with(one: Container) -> str:
    """Why a container ended, in words."""
    limit = one.limits.memory // 2**20
    most = f" (its limit is {limit} MB)" if limit else ""
    if one.state.out_of_memory or (one.state.code == oom.KILLED and oom.killed(one.id)):
        return f"was killed: out of memory{most}"
    if one.state.error:
        return f"did not start: {one.state.error}"
    if one.state.code == oom.KILLED and limit:
        return f"was killed, most often for lack of memory{most}"
    return f"ended with exit code {one.state.code}"


def exclusive(found: Sequence[Container]) -> dict[InstanceId, str]:
    """Instances beside which no second copy can run, with the reason.

    A program that Geartrain knows nothing about (a broker, a search engine) is
    the only one that may write to its data.
    """
    why = {}
    for one in found:
        kept = [m.name for m in one.mounts if m.kind == "volume" and m.writable
                and not is_anonymous(m.name)]  # fmt: skip
        if one.role == Role.OTHER and kept and (who := one.instance) is not None:
            why[who] = f"{who.service} alone writes to the volume {kept[0]}"
    return why


def is_anonymous(volume: str) -> bool:
    """True for the name that Docker gives to a volume without one."""
    return len(volume) == 64 and all(c in "0123456789abcdef" for c in volume)
