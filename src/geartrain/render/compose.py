"""Compose files that Geartrain hands to Compose: a release's instances, and data services.

Every instance is a service of its own in the file, so that each has its own
address and can be started by itself. The files are JSON, which is YAML in which
no text can be taken for something else. What an author wrote stays in force
unless it would let two releases get into each other's way.

Sources: Compose specification; docs.docker.com, "docker run", "Runtime
privilege and Linux capabilities".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from geartrain.app.model import Mount, MountKind, RestartPolicy, Role, Service
from geartrain.app.release import InstanceId, Release, definition
from geartrain.render import containers

# What programs that start as root need to set themselves up and become another user; Docker's
# other defaults (raw sockets, device nodes, chroot, audit, file capabilities) no web app needs.
ROOT_CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"),
    *("KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"),
)
# Not `unless-stopped`: a daemon that was killed ends what goes on running when it is back, takes
# that for a stop by hand, and leaves all of it down.
ALWAYS = "always"
STORE_GRACE = 30.0  # seconds that a data store has at least, to write down what it holds
PIDS = 4096  # a fork bomb stops here; far above what an app's threads need
LOGGING = {"driver": "local", "options": {"max-size": "20m", "max-file": "5"}}
NO_NEW_PRIVILEGES = "no-new-privileges:true"
# Keys of the author's that mean something else here, or that are decided for him.
_DECIDED = frozenset({"cap_drop", "labels", "label_file", "pull_policy", "platform"})
# Rights that go beyond what every container is denied; an engine refuses them unless allowed.
_ADDED = ("cap_add", "security_opt")


class ImageFacts(Struct, frozen=True, kw_only=True):
    """What is known of an image. `init` says that it brings a first process of its own."""

    name: str
    root: bool = True
    init: bool = False


class Bind(Struct, frozen=True, kw_only=True):
    """A file or folder of this machine in a container."""

    source: str
    target: str
    read_only: bool = False


class Surroundings(Struct, frozen=True, kw_only=True):
    """What a release's instances find on a host.

    `networks` are joined besides the release's own. `images`, `environments`,
    `probes` and `binds` are by service; `addresses` by instance. `names` are those
    of databases and caches, with the addresses that they keep.
    """

    host: str
    app: str
    base: str  # begins the names of containers and volumes
    network: str
    networks: tuple[str, ...] = ()
    images: dict[str, ImageFacts]
    environments: dict[str, dict[str, str]]
    addresses: dict[InstanceId, str]
    binds: dict[str, tuple[Bind, ...]] = {}
    probes: dict[str, str] = {}
    names: dict[str, str] = {}


def release_file(release: Release, around: Surroundings) -> str:
    """The Compose file of a release's stateless services."""
    services = release.app.services
    made = {
        key: _instance(release, services[one.service], one, around)
        for one, key in containers.keys(release).items()
    }
    names = sorted({m.source for s in services.values() if s.stateless for m in s.mounts
                    if m.kind is MountKind.VOLUME and m.source})  # fmt: skip
    return write(
        containers.project(around.base, release.number),
        made,
        networks=(around.network, *around.networks),
        volumes={name: containers.volume(around.base, name) for name in names},
    )


def one_off_file(
    release: Release, service: Service, argv: tuple[str, ...], around: Surroundings
) -> str:
    """The Compose file of a command that runs once in a service's place."""
    return _once(release, service, argv, around, {})


def command_file(
    release: Release,
    service: Service,
    argv: tuple[str, ...],
    around: Surroundings,
    environment: Mapping[str, str],
) -> str:
    """The Compose file of a person's own command in a service's place.

    It has the name that Compose gives it, so that there can be several, and labels by which
    nobody takes it for an instance.

    Args:
        release: whose code it is.
        service: in whose place it runs.
        argv: the command.
        around: what it finds here.
        environment: further variables.
    """
    labels = {
        **_own_labels(service),
        containers.HOST: around.host,
        containers.APP: "",  # its image says it, too
        containers.COMMAND: around.app,
    }
    known = around.environments[service.name]
    changed = {"environment": {**known, **environment}, "labels": labels, "container_name": None}
    return _once(release, service, argv, around, literal(changed))


def _once(
    release: Release,
    service: Service,
    argv: tuple[str, ...],
    around: Surroundings,
    changed: Mapping[str, Any],
) -> str:
    one = InstanceId(service=service.name, release=release.number, index=0)
    made = _instance(release, service, one, around)
    made |= {"command": literal(list(argv)), "restart": "no", **changed}
    made.pop("healthcheck", None)
    if service.entrypoint is None:
        made["entrypoint"] = []  # the command is the whole of it, as with `x-gear.release`
    volumes = {m.source: containers.volume(around.base, m.source) for m in service.mounts
               if m.kind is MountKind.VOLUME and m.source}  # fmt: skip
    return write(
        containers.project(around.base, release.number),
        {f"{service.name}-0": {k: v for k, v in made.items() if v is not None}},
        networks=(around.network, *around.networks),
        volumes=volumes,
    )


def store_file(release: Release, service: Service, around: Surroundings) -> str:
    """The Compose file of a data store that outlives releases, in the app's stable project."""
    one = InstanceId(service=service.name)
    return write(
        containers.project(around.base),
        {service.name: _instance(release, service, one, around)},
        networks=(around.network, *around.networks),
        volumes={m.source: containers.volume(around.base, m.source) for m in service.mounts
                 if m.kind is MountKind.VOLUME and m.source},
    )  # fmt: skip


def write(
    project: str,
    services: Mapping[str, Mapping[str, Any]],
    networks: tuple[str, ...] = (),
    volumes: Mapping[str, str] | None = None,
) -> str:
    """A whole Compose file. Networks and volumes are there before it."""
    whole: dict[str, Any] = {"name": project, "services": services}
    if networks:
        whole["networks"] = {name: {"name": name, "external": True} for name in networks}
    if volumes:
        whole["volumes"] = {k: {"name": v, "external": True} for k, v in volumes.items()}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"


def _instance(
    release: Release, service: Service, one: InstanceId, around: Surroundings
) -> dict[str, Any]:
    image = around.images[service.name]
    address = around.addresses.get(one)
    own: dict[str, Any] = {"aliases": [service.name, *service.aliases]} if one.index else {}
    if address:
        own["ipv4_address"] = address
    made_of = release.fingerprint if one.release else definition(service)
    probe = around.probes.get(service.name, "")
    said = containers.labels(around.host, around.app, one, service, made_of, probe)
    found: dict[str, Any] = {
        "image": image.name,
        "pull_policy": "never",
        "container_name": containers.container(around.base, one),
        "labels": {**_own_labels(service), **said},
        "environment": around.environments[service.name],
        "init": not image.init,
        "networks": {around.network: own, **{name: {} for name in around.networks}},
        "restart": ALWAYS if service.store else _restart(service),
        "stop_grace_period": f"{max(service.stop_grace, STORE_GRACE * bool(service.store)):g}s",
        **_words(service),
        **author(service, hardening(root=_root(service, image))),
        **_limits(service),
        **_healthcheck(service),
    }
    if service.stop_signal != "SIGTERM":
        found["stop_signal"] = service.stop_signal
    if volumes := _volumes(service, around.binds.get(service.name, ())):
        found["volumes"] = volumes
    if tmpfs := [m.target for m in service.mounts if m.kind is MountKind.TMPFS]:
        found["tmpfs"] = tmpfs
    if service.rest.get("network_mode"):
        del found["networks"]  # it is in another network then
    elif around.names:
        # Docker's names are its daemon's to look up, and that may be restarted.
        said = found.get("extra_hosts", [])
        theirs = {line.partition("=")[0] for line in said}
        known = [f"{n}={a}" for n, a in around.names.items() if n not in theirs]
        found["extra_hosts"] = [*said, *known]
    given: dict[str, Any] = literal(found)
    return given


def hardening(*, root: bool, read_only: bool = False) -> dict[str, Any]:
    """What every container is denied.

    Args:
        root: it starts as root, and so may need to become somebody else.
        read_only: nothing but its mounts can be written to.
    """
    return {
        "cap_drop": ["ALL"],
        **({"cap_add": list(ROOT_CAPABILITIES)} if root else {}),
        "security_opt": [NO_NEW_PRIVILEGES],
        "pids_limit": PIDS,
        "logging": LOGGING,
        **({"read_only": True} if read_only else {}),
    }


def _root(service: Service, image: ImageFacts) -> bool:
    if service.user is None:
        return image.root
    return service.user.partition(":")[0] in ("", "0", "root")


def _words(service: Service) -> dict[str, Any]:
    """What runs, where and as whom, as far as the author said it."""
    said = {
        "command": list(service.command) if service.command is not None else None,
        "entrypoint": list(service.entrypoint) if service.entrypoint is not None else None,
        "working_dir": service.working_dir,
        "user": service.user,
    }
    return {key: value for key, value in said.items() if value is not None}


def author(service: Service, hardened: Mapping[str, Any]) -> dict[str, Any]:
    """Keys that only Docker knows, as the author wrote them, within what every container is denied.

    Args:
        service: the service. What it asks for beyond that, the host's owner has granted.
        hardened: what is denied.
    """
    found = {k: v for k, v in service.rest.items() if k not in _DECIDED and k not in _ADDED}
    found |= hardened
    for key in _ADDED:
        if own_ones := service.rest.get(key):
            found[key] = list(dict.fromkeys([*found.get(key, ()), *own_ones]))
    return found


def _own_labels(service: Service) -> dict[str, str]:
    """The author's own labels. Geartrain's are not his to set."""
    said = service.rest.get("labels") or {}
    pairs = said if isinstance(said, dict) else dict(str(w).partition("=")[::2] for w in said)
    return {
        str(name): "" if value is None else str(value)
        for name, value in pairs.items()
        if not str(name).startswith(containers.PREFIX)
    }


def _restart(service: Service) -> str:
    if service.one_shot or service.role is Role.JOB:
        return "no"
    match service.restart.policy:
        case RestartPolicy.NEVER:
            return "no"
        case RestartPolicy.ON_FAILURE:
            most = service.restart.max_attempts
            return f"on-failure:{most}" if most else "on-failure"
        case RestartPolicy.ALWAYS:
            return ALWAYS


def _limits(service: Service) -> dict[str, Any]:
    limits, found = service.limits, dict[str, Any]()
    if limits.memory:
        found["mem_limit"] = limits.memory
        if "memswap_limit" not in service.rest:
            found["memswap_limit"] = limits.memory  # no swap: full is full
    if limits.cpus:
        found["cpus"] = limits.cpus
    if limits.pids:
        found["pids_limit"] = limits.pids
    return found


def _healthcheck(service: Service) -> dict[str, Any]:
    check = service.healthcheck
    if check is None:
        return {}
    return {
        "healthcheck": {
            "test": ["CMD", *check.test],
            "interval": f"{check.interval:g}s",
            "timeout": f"{check.timeout:g}s",
            "retries": check.retries,
            "start_period": f"{check.start_period:g}s",
        }
    }


def _volumes(service: Service, binds: tuple[Bind, ...]) -> list[dict[str, Any]]:
    return [
        *(_volume(mount) for mount in service.mounts if mount.kind is MountKind.VOLUME),
        *(bind(one) for one in binds),
    ]


def _volume(mount: Mount) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "volume", "target": mount.target}
    if mount.source:
        found["source"] = mount.source
    if mount.read_only:
        found["read_only"] = True
    return found


def bind(one: Bind) -> dict[str, Any]:
    """A bind mount in Compose's long form; what it names is there."""
    return {
        "type": "bind",
        "source": one.source,
        "target": one.target,
        **({"read_only": True} if one.read_only else {}),
        "bind": {"create_host_path": False},
    }


def literal(value: Any) -> Any:
    """Text that means itself: Compose reads `$` as the start of a variable."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: literal(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [literal(inner) for inner in value]
    return value
