"""What a Compose file means to Geartrain, decoded once into frozen types.

Paths of builds, mounts and files are absolute as Compose resolved them; those
inside the project folder are relative to it (`App.inside`), so that a release
can run from its own checkout. Times are seconds, sizes bytes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct

from geartrain.app.policy import AppPolicy, Keep, Role, ServicePolicy

__all__ = ["Keep", "Role"]


class Condition(StrEnum):
    """When a dependency counts as there (Compose specification, `depends_on`)."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


class Dependency(Struct, frozen=True, kw_only=True):
    """One entry of `depends_on`."""

    service: str
    condition: Condition = Condition.STARTED
    required: bool = True


class BuildSecret(Struct, frozen=True, kw_only=True):
    """A secret that RUN lines can mount by its `id`; no layer keeps it. `mark`: as in `Grant`."""

    source: str
    id: str
    mark: str = ""


class Build(Struct, frozen=True, kw_only=True):
    """How a service's image is made.

    `context` is relative to the project folder ("." for the folder itself).
    `dockerfile` is relative to the context.
    """

    context: str
    dockerfile: str = "Dockerfile"
    target: str | None = None
    args: dict[str, str] = {}
    inline: str | None = None  # `dockerfile_inline`: the Dockerfile's own text
    network: str | None = None
    secrets: tuple[BuildSecret, ...] = ()


class Healthcheck(Struct, frozen=True, kw_only=True):
    """Compose `healthcheck`. `test` is an argument list; a shell line is `[sh, -c, line]`."""

    test: tuple[str, ...]
    interval: float = 30.0
    timeout: float = 30.0
    retries: int = 3
    start_period: float = 0.0


class MountKind(StrEnum):
    """What is mounted."""

    BIND = "bind"
    VOLUME = "volume"
    TMPFS = "tmpfs"


class Mount(Struct, frozen=True, kw_only=True):
    """One entry of `volumes`.

    `source` is the volume's key for a volume ("" when anonymous), and for a
    bind mount a path relative to the project folder. `options` are the volume's
    own `driver_opts`.
    """

    kind: MountKind
    target: str
    source: str = ""
    read_only: bool = False
    options: dict[str, str] = {}


class Grant(Struct, frozen=True, kw_only=True):
    """A secret or config given to a service as a file at `target`.

    `mark` differs when the variable has another value that its text comes from (see `stand_in`).
    """

    source: str
    target: str
    mode: int = 0o444
    mark: str = ""


class Source(Struct, frozen=True, kw_only=True):
    """Where the text of a secret or config comes from; exactly one field is set."""

    file: str | None = None  # relative to the project folder, or absolute outside it
    environment: str | None = None
    content: str | None = None


class PublishedPort(Struct, frozen=True, kw_only=True):
    """One entry of `ports`. `published` is None when Compose would pick a free one."""

    target: int
    published: int | None = None
    host_ip: str = ""
    protocol: str = "tcp"


class Limits(Struct, frozen=True, kw_only=True):
    """`deploy.resources.limits`."""

    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None


class Order(StrEnum):
    """`deploy.update_config.order`."""

    START_FIRST = "start-first"
    STOP_FIRST = "stop-first"


class Update(Struct, frozen=True, kw_only=True):
    """`deploy.update_config`. Geartrain's default order is start-first."""

    parallelism: int = 0  # 0: all at once
    delay: float = 0.0
    order: Order = Order.START_FIRST
    failure_action: str = "rollback"
    monitor: float | None = None  # not said


class RestartPolicy(StrEnum):
    """When an instance that ended is started again."""

    ALWAYS = "always"
    ON_FAILURE = "on-failure"
    NEVER = "no"


class Restart(Struct, frozen=True, kw_only=True):
    """`restart`, or `deploy.restart_policy`. No `max_attempts`: the engine's own bound."""

    policy: RestartPolicy = RestartPolicy.ALWAYS
    max_attempts: int | None = None


class Image(Struct, frozen=True, kw_only=True):
    """What a Dockerfile says about running its last (or `target`) stage.

    Read by `geartrain.load.dockerfile`; empty for a service that only names an image.
    """

    base: str = ""  # `python:3.12-slim`
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    working_dir: str = ""
    ports: tuple[int, ...] = ()
    # (source in the context, absolute target), in order; a target that ends in "/" is a folder
    copies: tuple[tuple[str, str], ...] = ()
    installs: tuple[str, ...] = ()  # requirements named in `RUN pip install` or `uv pip install`
    runs: tuple[str, ...] = ()  # every RUN line, as written


class Service(Struct, frozen=True, kw_only=True):
    """One service of the Compose file."""

    name: str
    role: Role
    image: str = ""
    build: Build | None = None
    built: Image = Image()
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: dict[str, str] = {}
    working_dir: str | None = None
    user: str | None = None
    depends_on: tuple[Dependency, ...] = ()
    healthcheck: Healthcheck | None = None
    replicas: int = 1
    limits: Limits = Limits()
    update: Update = Update()
    restart: Restart = Restart()
    one_shot: bool = False
    stop_grace: float = 10.0
    stop_signal: str = "SIGTERM"
    mounts: tuple[Mount, ...] = ()
    secrets: tuple[Grant, ...] = ()
    configs: tuple[Grant, ...] = ()
    ports: tuple[PublishedPort, ...] = ()
    expose: tuple[int, ...] = ()
    aliases: tuple[str, ...] = ()  # further names by which other services reach it
    passwordless: bool = False  # a cache whose clients in this app know no password
    port: int | None = None  # where it answers; None for what is not reached over the network
    gear: ServicePolicy = ServicePolicy()
    asks: tuple[str, ...] = ()  # keys that ask for rights on the machine: `privileged`, `pid`
    store: str = ""  # of a data store that outlives releases: a digest of the files it is given
    rest: dict[str, Any] = {}  # keys for the Docker engine alone, `asks` among them, as written
    known_as: str = ""  # its `definition`, where secrets were put in since (see `stand_in`)

    @property
    def stateless(self) -> bool:
        """True when the service is replaced with each release."""
        return not self.store and self.role in (Role.WEB, Role.WORKER, Role.JOB, Role.OTHER)


class App(Struct, frozen=True, kw_only=True):
    """One Compose file, decoded."""

    name: str
    services: dict[str, Service]
    secrets: dict[str, Source] = {}
    configs: dict[str, Source] = {}
    policy: AppPolicy = AppPolicy()
    compose_file: str = "docker-compose.yml"  # relative to the project folder

    def of_role(self, *roles: Role) -> tuple[Service, ...]:
        """The services that have one of these roles, in the file's order."""
        return tuple(s for s in self.services.values() if s.role in roles)

    @property
    def data_services(self) -> tuple[Service, ...]:
        """The services that outlive releases, in the file's order."""
        return tuple(
            s for s in self.services.values()
            if s.store or s.role in (Role.DATABASE, Role.CACHE)
        )  # fmt: skip
