"""The resolved Compose file into an `App`: pure, total, every finding at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec.structs import replace

from geartrain.app import graph, names, service, storage, xgear
from geartrain.app.finding import Finding, dotted, shown_value
from geartrain.app.images import CACHE_IMAGES, DATABASE_IMAGES, NGINX_IMAGES, image_base
from geartrain.app.keys import SERVICE_KEYS, Effect
from geartrain.app.model import (
    App,
    MountKind,
    Order,
    Restart,
    RestartPolicy,
    Service,
    Source,
)
from geartrain.app.once import awaited, guessed, serves
from geartrain.app.policy import AppPolicy
from geartrain.app.reader import Reader


@dataclass(frozen=True, slots=True)
class Decoded:
    """An app without roles and ports yet, and what was found on the way.

    Only without findings does `app` mean what the file says.
    """

    app: App
    findings: tuple[Finding, ...]
    notices: tuple[str, ...]


def decode(
    config: object,
    *,
    project: str,
    order: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    compose_file: str = "docker-compose.yml",
) -> Decoded:
    """Decode what `docker compose config` printed.

    Args:
        config: the mapping it printed, with `$$` already read as `$`.
        project: absolute path of the project folder.
        order: service names as the file has them; Compose sorts them.
        environ: the caller's environment, for variables without a value.
        compose_file: the file's path relative to the project folder.
    """
    findings: list[Finding] = []
    root = Reader(config, (), findings)
    policy = xgear.decode(root.get("x-gear"), AppPolicy, ("x-gear",), findings)
    raw = dict(root.children("services"))
    ranks = {name: rank for rank, name in enumerate(order)}
    ranked = sorted(raw, key=lambda name: ranks.get(name, len(ranks)))
    services = {n: service.decode(n, raw[n], project, environ or {}) for n in ranked}
    services = _alone(_one_shots(_shared_builds(_linked(services, raw)), raw), raw)
    secrets, configs = (storage.sources(root, key, project) for key in ("secrets", "configs"))
    services = _further_asks(services, root, {"secrets": secrets, "configs": configs})
    app = App(
        name=policy.name or names.app_name(root.text("name") or ""),
        services=services,
        secrets=secrets,
        configs=configs,
        policy=policy,
        compose_file=compose_file,
    )
    findings += _unsafe(root, app) + _schedules(app) + _cycles(app)
    return Decoded(app, tuple(findings), tuple(_notices(app, raw)))


def _linked(services: dict[str, Service], raw: Mapping[str, Reader]) -> dict[str, Service]:
    """`links: [db:database]` on a service gives `db` the further name `database`."""
    found = dict(services)
    for reader in raw.values():
        for link in reader.words("links") or ():
            target, _, alias = link.partition(":")
            held = found.get(target)
            if held is not None and alias and alias != target and alias not in held.aliases:
                found[target] = replace(held, aliases=(*held.aliases, alias))
    return found


def _shared_builds(services: dict[str, Service]) -> dict[str, Service]:
    """A service that names the image which another one builds is built the same way."""
    made = {s.image: s.build for s in services.values() if s.build and s.image}
    return {
        name: replace(s, build=made[s.image]) if s.build is None and s.image in made else s
        for name, s in services.items()
    }


def _alone(services: dict[str, Service], raw: Mapping[str, Reader]) -> dict[str, Service]:
    """A program that others made and that keeps data is stopped before its next version starts.

    Two copies of a broker or a wiki on one volume lock each other out, or worse.
    """
    found = dict(services)
    for name in _keepers(services, raw):
        s = services[name]
        found[name] = replace(s, update=replace(s.update, order=Order.STOP_FIRST))
    return found


def _keepers(services: Mapping[str, Service], raw: Mapping[str, Reader]) -> list[str]:
    known = DATABASE_IMAGES | CACHE_IMAGES | NGINX_IMAGES
    return [
        name
        for name, s in services.items()
        if s.build is None
        and not s.one_shot
        and image_base(s.image) not in known
        and raw[name].child("deploy").child("update_config").get("order") is None
        and any(m.kind is not MountKind.TMPFS and not m.read_only for m in s.mounts)
    ]


def _one_shots(services: dict[str, Service], raw: Mapping[str, Reader]) -> dict[str, Service]:
    """What somebody waits for to complete runs once, whatever its `restart` says."""
    ends = awaited(services) | set(guessed(services, raw))
    found = {}
    for name, s in services.items():
        if name in ends:
            once = s.restart.policy is RestartPolicy.ALWAYS
            restart = Restart(policy=RestartPolicy.NEVER) if once else s.restart
            found[name] = replace(s, one_shot=True, restart=restart)
        else:
            found[name] = replace(s, one_shot=False) if s.one_shot and serves(s) else s
    return found


def _further_asks(
    services: dict[str, Service], root: Reader, given: Mapping[str, Mapping[str, Source]]
) -> dict[str, Service]:
    """Files of the machine that a service would get by a secret, a config or a volume."""
    opts = {
        name: {key: driver.text(key) or "" for key in driver.values}
        for name, volume in root.children("volumes")
        if (driver := volume.child("driver_opts")).values
    }
    found = {}
    for name, given_as in services.items():
        mounts = tuple(replace(m, options=opts.get(m.source, {}))
                       if m.kind is MountKind.VOLUME else m for m in given_as.mounts)  # fmt: skip
        s = replace(given_as, mounts=mounts) if mounts != given_as.mounts else given_as
        asks = [f"volumes.{m.source}.driver_opts" for m in s.mounts if m.source in opts]
        built = s.build.secrets if s.build else ()
        names = {
            "secrets": [g.source for g in s.secrets] + [b.source for b in built],
            "configs": [g.source for g in s.configs],
        }
        for key, sources in names.items():
            files = {n: given[key].get(n, Source()).file or "" for n in sources}
            asks += [f"{key}.{n}.file" for n, file in files.items() if file.startswith("/")]
        found[name] = replace(s, asks=(*s.asks, *dict.fromkeys(asks))) if asks else s
    return found


def _unsafe(root: Reader, app: App) -> list[Finding]:
    found = []
    for key in ("services", "volumes", "secrets", "configs"):
        for name in root.child(key).values:
            found += names.check_name(key.removesuffix("s"), name, (key, name))
    folded: dict[str, str] = {}
    for s in app.services.values():
        at = ("services", s.name)
        if s.image:
            found += names.check_image(s.image, (*at, "image"))
        for alias in s.aliases:
            found += names.check_alias(alias, at)
        twin = folded.setdefault(s.name.lower(), s.name)
        if twin != s.name:
            what = f"the services '{twin}' and '{s.name}' differ in case only"
            found.append(Finding(at, what, "rename one: host names do not know case"))
    return found


def _schedules(app: App) -> list[Finding]:
    found = []
    for s in app.services.values():
        if s.gear.schedule is None:
            continue
        from cronsim import CronSim, CronSimError

        path = ("services", s.name, "x-gear", "schedule")
        why = "it needs five fields" if len(s.gear.schedule.split()) != 5 else ""
        try:
            CronSim(s.gear.schedule, datetime(2000, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            why = why or str(error).lower()
        if why:
            what = f"{shown_value(s.gear.schedule)} is not a cron expression: {why}"
            remedy = "five fields: minute, hour, day, month, weekday, such as 0 3 * * *"
            found.append(Finding(path, what, remedy))
    return found


def edges(app: App) -> dict[str, tuple[str, ...]]:
    """Each service and what it depends on, for `geartrain.app.graph`."""
    return {name: tuple(d.service for d in s.depends_on) for name, s in app.services.items()}


def _cycles(app: App) -> list[Finding]:
    ring = graph.cycle(edges(app))
    if not ring:
        return []
    what = f"services wait for each other: {' -> '.join(ring)}"
    return [Finding(("services", ring[0], "depends_on"), what, "take one of the steps away")]


def _notices(app: App, raw: Mapping[str, Reader]) -> list[str]:
    found = []
    kept = [key for key in ("container_name", "hostname") if any(raw[n].get(key) for n in raw)]
    if kept:
        words = " and ".join(f"`{key}`" for key in kept)
        named = {str(raw[n].get(key)) for n in app.services for key in kept if raw[n].get(key)}
        found.append(
            f"{words}: kept as network names ({', '.join(sorted(named))});"
            " instances have names of their own, so that two releases can run side by side"
        )
    if once := guessed(app.services, raw):
        found.append(
            f"{', '.join(once)}: taken for what runs once in each release and ends;"
            " `restart: always` says otherwise"
        )
    if keepers := _keepers(app.services, raw):
        found.append(
            f"stopped before the next version starts, as it keeps data: {', '.join(keepers)}"
            " (`deploy.update_config.order: start-first` says that two can share it)"
        )
    labelled = [name for name in app.services if _proxy_labels(raw[name])]
    if labelled:
        found.append(
            f"labels for Traefik have no effect ({', '.join(labelled)}): the edge is nginx,"
            " and x-gear.routes says which paths go where"
        )
    for name in app.services:
        found += [
            f"{dotted(('services', name, key))} has no effect: {SERVICE_KEYS[key].says}"
            for key in raw[name].values
            if key in SERVICE_KEYS
            and SERVICE_KEYS[key].effect is Effect.IGNORED
            and key in ("mac_address", "models", "post_start", "pre_stop")
        ]
    return found


def _proxy_labels(service: Reader) -> bool:
    labels = service.get("labels")
    return isinstance(labels, dict) and any(str(key).startswith("traefik.http.") for key in labels)
