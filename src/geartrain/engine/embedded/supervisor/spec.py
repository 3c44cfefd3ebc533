"""What a supervised process is: the values that pass over the supervisor's socket."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a process is in its life."""

    STARTING = "starting"
    READY = "ready"
    UNHEALTHY = "unhealthy"  # was ready; its healthcheck fails now
    BACKOFF = "backoff"  # ended, will be started again
    STOPPING = "stopping"
    EXITED = "exited"  # a one-shot that ended
    FAILED = "failed"  # will not be started again
    SCHEDULED = "scheduled"  # a job between two runs


class ProbeKind(StrEnum):
    """How readiness is found out."""

    NONE = "none"  # ready as soon as it has stayed up for `settle` seconds
    TCP = "tcp"  # accepts a connection, and is still there `settle` seconds later
    HTTP = "http"  # GET path answers 2xx or 3xx
    REDIS = "redis"  # AUTH and PING answer PONG
    COMMAND = "command"  # a program that exits with 0
    EXIT = "exit"  # a one-shot: done when it exits with 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """A readiness check. Times in seconds.

    `interval` > 0 goes on checking a ready process that often, and calls it
    unhealthy after `retries` failures in a row.
    """

    kind: ProbeKind
    address: str = ""
    port: int = 0
    path: str = "/"
    user: str = ""
    password: str = field(default="", repr=False)
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    listens: bool = False  # a command's: the address takes connections, too
    settle: float = 0.25
    timeout: float = 5.0
    interval: float = 0.0
    retries: int = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """One process to keep. `env` is its whole environment."""

    name: str
    service: str
    role: str
    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    release: int | None = None
    index: int = 1
    user: int | None = None
    address: str = ""
    port: int = 0
    version: str = ""
    stop_signal: str = "SIGTERM"
    stop_grace: float = 10.0
    restart: str = "always"  # always, on-failure, no
    max_attempts: int = 10
    start_attempts: int = 1  # how often it may end before it was ever ready
    start_timeout: float = 30.0
    memory: int = 0  # bytes; 0 is no limit
    schedule: str = ""
    rotate: tuple[str, ...] = ()  # log files it writes itself and reopens on SIGUSR1
    probe: Probe = Probe(kind=ProbeKind.NONE)
    pid_files: tuple[str, ...] = ()  # its own, which must not name somebody else when it starts
    definition: str = ""  # what it was made from, for whoever compares

    @property
    def one_shot(self) -> bool:
        """True for what runs to completion."""
        return self.probe.kind is ProbeKind.EXIT


def to_json(spec: Spec) -> dict[str, Any]:
    """A spec as plain JSON values."""
    return dataclasses.asdict(spec)


def from_json(plain: Mapping[str, Any]) -> Spec:
    """The spec that `to_json` wrote."""
    probe = dict(plain["probe"])
    probe["kind"] = ProbeKind(probe["kind"])
    probe["argv"] = tuple(probe["argv"])
    values = dict(plain)
    values["argv"] = tuple(values["argv"])
    values["rotate"] = tuple(values["rotate"])
    values["pid_files"] = tuple(values["pid_files"])
    return Spec(**{**values, "probe": Probe(**probe)})


def digest(spec: Spec) -> str:
    """A short name for everything that the spec says, to see whether it changed."""
    text = json.dumps(dataclasses.asdict(spec), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
