"""From a release's service to the process that runs it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace

from geartrain.app.credentials import Logins
from geartrain.app.model import RestartPolicy, Role, Service
from geartrain.app.release import InstanceId, Release
from geartrain.engine.embedded.localize import localize
from geartrain.engine.embedded.probe import probe
from geartrain.engine.embedded.python import Prepared
from geartrain.engine.embedded.supervisor.spec import Probe, ProbeKind, Spec
from geartrain.render.environment import environment

# Decided where the Python environment is; never by the Compose file.
DECIDED = frozenset({"PATH", "PYTHONPATH", "VIRTUAL_ENV", "HOME"})
START_TIMEOUT = 30.0
START_ATTEMPTS = 2  # one more try for what came up before something it talks to


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all instances of a release share."""

    release: Release
    logins: Logins
    names: Mapping[str, str]  # service → address
    environ: Mapping[str, str]  # of whoever starts them


def spec(
    around: Surroundings,
    one: InstanceId,
    address: str,
    prepared: Prepared,
    paths: Mapping[str, str],
) -> Spec:
    """The process of one instance.

    Args:
        around: what it shares with the others.
        one: which instance.
        address: its own loopback address.
        prepared: its command, folder and Python environment.
        paths: paths of its container → paths here.
    """
    service = around.release.app.services[one.service]
    argv, env = _localized(around, service, address, prepared, paths, owner=False)
    check = service.healthcheck
    limit = check.start_period if check and check.start_period else START_TIMEOUT
    job = service.role is Role.JOB
    return Spec(
        name=one.name,
        service=service.name,
        role=service.role,
        release=one.release,
        index=one.index,
        argv=argv,
        cwd=str(prepared.cwd),
        env=env,
        address=address,
        port=service.port or 0,
        version=_python_version(prepared),
        stop_signal=_signal(service.stop_signal),
        stop_grace=service.stop_grace,
        restart=RestartPolicy.NEVER if service.one_shot or job else service.restart.policy,
        max_attempts=service.restart.max_attempts or 10,
        start_attempts=START_ATTEMPTS,
        start_timeout=3600.0 if service.one_shot else limit,
        memory=service.limits.memory or 0,
        schedule=service.gear.schedule or "",
        probe=Probe(kind=ProbeKind.NONE) if job else probe(service, address, env),
        definition=around.release.fingerprint,
    )


def one_off(
    around: Surroundings,
    service: Service,
    name: str,
    argv: tuple[str, ...],
    address: str,
    prepared: Prepared,
    paths: Mapping[str, str],
    *,
    owner: bool,
) -> Spec:
    """A command run once in a service's place, as the owner of the data where `owner` is true."""
    command = replace(prepared, argv=argv)
    words, env = _localized(around, service, address, command, paths, owner=owner)
    return Spec(
        name=name,
        service=service.name,
        role=Role.WORKER,
        release=around.release.number,
        index=0,  # no instance has it
        argv=words,
        cwd=str(prepared.cwd),
        env=env,
        address=address,
        restart="no",
        stop_grace=service.stop_grace,
        start_timeout=3600.0,
        probe=Probe(kind=ProbeKind.EXIT),
    )


def _localized(
    around: Surroundings,
    service: Service,
    address: str,
    prepared: Prepared,
    paths: Mapping[str, str],
    *,
    owner: bool,
) -> tuple[tuple[str, ...], dict[str, str]]:
    own = environment(around.release.app, service, around.logins, around.names, owner=owner)
    env = dict(prepared.env)
    env |= {
        key: value
        for key, value in own.items()
        if key not in env or (key in service.environment and key not in DECIDED)
    }
    argv, env = localize(
        prepared.argv,
        env,
        address=address,
        port=service.port,
        names=around.names,
        paths={**paths, **prepared.paths},
    )
    return argv, {
        **env,
        "GEAR_ADDRESS": address,
        "GEAR_NAMES": " ".join(f"{name}={where}" for name, where in sorted(around.names.items())),
        "GEAR_APP": around.release.app.name,
        "GEAR_SERVICE": service.name,
        "GEAR_RELEASE": str(around.release.number),
    }


def _python_version(prepared: Prepared) -> str:
    """`Python 3.12.4`, as the environment's own file says."""
    if prepared.venv is None:
        return ""
    for line in (prepared.venv / "pyvenv.cfg").read_text().splitlines():
        key, _, value = line.partition("=")
        if key.strip() in ("version_info", "version"):
            return f"Python {value.strip()}"
    return "Python"


def _signal(name: str) -> str:
    """`stop_signal` by its name in signal(7); Compose also takes `TERM` and numbers."""
    if name.isdigit():
        return signal.Signals(int(name)).name
    return name if name.startswith("SIG") else f"SIG{name}"
