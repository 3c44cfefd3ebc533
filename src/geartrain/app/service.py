"""One service of the resolved Compose file, decoded. Roles and ports come later."""

from __future__ import annotations

import re
from collections.abc import Mapping

from geartrain.app import keys, storage, units, xgear
from geartrain.app.model import (
    Build,
    BuildSecret,
    Condition,
    Dependency,
    Healthcheck,
    Limits,
    Order,
    PublishedPort,
    Restart,
    RestartPolicy,
    Role,
    Service,
    Update,
)
from geartrain.app.policy import ServicePolicy
from geartrain.app.reader import Reader


def decode(name: str, raw: Reader, project: str, environ: Mapping[str, str]) -> Service:
    """Decode one service.

    Args:
        name: its key.
        raw: its mapping as Compose resolved it.
        project: absolute path of the project folder.
        environ: the caller's environment, for variables without a value.

    Returns:
        The service with the role `other` and without a port; see `roles` and `ports`.
    """
    deploy = raw.child("deploy")
    restart = _restart(raw, deploy)
    grace = raw.measured("stop_grace_period", units.seconds)
    return Service(
        name=name,
        role=Role.OTHER,
        image=raw.text("image") or "",
        build=_build(raw, project, environ),
        command=raw.words("command"),
        entrypoint=raw.words("entrypoint"),
        environment=_environment(raw, "environment", environ),
        working_dir=raw.text("working_dir"),
        user=raw.text("user"),
        depends_on=_dependencies(raw),
        healthcheck=_healthcheck(raw),
        replicas=_replicas(raw, deploy),
        limits=_limits(raw, deploy),
        update=_update(deploy.child("update_config")),
        restart=restart,
        one_shot=restart.policy is RestartPolicy.NEVER,
        stop_grace=10.0 if grace is None else grace,
        stop_signal=_signal(raw),
        mounts=storage.mounts(raw, project),
        secrets=storage.grants(raw, "secrets"),
        configs=storage.grants(raw, "configs"),
        ports=tuple(p for entry in raw.entries("ports") for p in _ports(entry)),
        expose=_expose(raw),
        aliases=_aliases(name, raw),
        gear=xgear.decode(raw.get("x-gear"), ServicePolicy, (*raw.path, "x-gear"), raw.findings),
        asks=_asks(raw, project),
        rest={
            key: value
            for key, value in raw.values.items()
            if key in keys.SERVICE_KEYS and keys.SERVICE_KEYS[key].effect in keys.FOR_DOCKER
        },
    )


def _build(raw: Reader, project: str, environ: Mapping[str, str]) -> Build | None:
    if raw.get("build") is None:
        return None
    build = raw.child("build")
    return Build(
        context=storage.relative(build.text("context") or project, project),
        dockerfile=build.text("dockerfile") or "Dockerfile",
        target=build.text("target"),
        args=_environment(build, "args", environ),
        inline=build.text("dockerfile_inline"),
        network=build.text("network"),
        secrets=_build_secrets(build),
    )


def _build_secrets(build: Reader) -> tuple[BuildSecret, ...]:
    found = []
    for entry in build.entries("secrets"):
        source = entry.text("source") or ""
        id_ = entry.text("target") or source
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", id_):  # it becomes part of an option
            entry.wrong(("target",), id_, "must be letters, digits, '_', '.' and '-'")
            continue
        found.append(BuildSecret(source=source, id=id_))
    return tuple(found)


def _environment(raw: Reader, key: str, environ: Mapping[str, str]) -> dict[str, str]:
    found = {}
    values = raw.child(key)
    for name in values.values:
        text = values.text(name)
        if text is None:
            text = environ.get(name)
        if text is None:
            continue
        if "\0" in text or "\0" in name or not name or "=" in name:
            values.wrong((name,), text, "cannot be an environment variable")
            continue
        found[name] = text
    return found


def _dependencies(raw: Reader) -> tuple[Dependency, ...]:
    found = []
    for name, entry in raw.children("depends_on"):
        condition = entry.text("condition") or Condition.STARTED
        if condition not in tuple(Condition):
            entry.wrong(("condition",), condition, f"is not one of {', '.join(Condition)}")
            continue
        required = entry.get("required") is None or entry.flag("required")
        found.append(Dependency(service=name, condition=Condition(condition), required=required))
    return tuple(found)


def _healthcheck(raw: Reader) -> Healthcheck | None:
    check = raw.child("healthcheck")
    test = check.words("test") or ()
    if check.flag("disable") or not test or test[0] == "NONE":
        return None
    if test[0] == "CMD-SHELL":
        words: tuple[str, ...] = ("/bin/sh", "-c", " ".join(test[1:]))
    else:
        words = test[1:] if test[0] == "CMD" else test
    if not words:
        check.wrong(("test",), list(test), "names no command")
        return None
    times = {
        key: value
        for key in ("interval", "timeout", "start_period")
        if (value := check.measured(key, units.seconds)) is not None
    }
    retries = check.integer("retries")
    return Healthcheck(test=words, retries=3 if retries is None else retries, **times)


def _replicas(raw: Reader, deploy: Reader) -> int:
    # Compose itself lets `deploy.replicas` win over `scale`.
    for reader, key in ((deploy, "replicas"), (raw, "scale")):
        count = reader.integer(key, high=1000)
        if count is not None:
            return count
    return 1


def _limits(raw: Reader, deploy: Reader) -> Limits:
    limits = deploy.child("resources").child("limits")
    memory = limits.measured("memory", units.size) or raw.measured("mem_limit", units.size)
    cpus = limits.number("cpus") or raw.number("cpus")
    pids = limits.integer("pids", low=-1) or raw.integer("pids_limit", low=-1)
    return Limits(
        memory=int(memory) if memory else None,
        cpus=float(cpus) if cpus and cpus > 0 else None,
        pids=pids if pids and pids > 0 else None,
    )


def _update(raw: Reader) -> Update:
    order = raw.text("order") or Order.START_FIRST
    if order not in tuple(Order):
        raw.wrong(("order",), order, f"is not one of {', '.join(Order)}")
        order = Order.START_FIRST
    action = raw.text("failure_action") or "rollback"
    if action not in ("rollback", "pause", "continue"):
        raw.wrong(("failure_action",), action, "is not one of rollback, pause, continue")
    monitor, delay = (raw.measured(key, units.seconds) for key in ("monitor", "delay"))
    return Update(
        parallelism=raw.integer("parallelism") or 0,
        delay=delay or 0.0,
        order=Order(order),
        failure_action=action,
        monitor=monitor,
    )


def _restart(raw: Reader, deploy: Reader) -> Restart:
    """`deploy.restart_policy` wins over `restart`, as in Compose; neither means always."""
    policy = deploy.child("restart_policy")
    condition = policy.text("condition")
    attempts = policy.integer("max_attempts")
    if policy.values:
        named = {"none": RestartPolicy.NEVER, "on-failure": RestartPolicy.ON_FAILURE}
        return Restart(
            policy=named.get(condition or "", RestartPolicy.ALWAYS), max_attempts=attempts
        )
    word, _, count = (raw.text("restart") or "always").partition(":")
    known = {
        "always": RestartPolicy.ALWAYS,
        "unless-stopped": RestartPolicy.ALWAYS,
        "on-failure": RestartPolicy.ON_FAILURE,
        "no": RestartPolicy.NEVER,
    }
    if word not in known or (count and not (count.isascii() and count.isdecimal())):
        why = "is not one of always, unless-stopped, on-failure, on-failure:N, no"
        raw.wrong(("restart",), raw.get("restart"), why)
        return Restart()
    return Restart(policy=known[word], max_attempts=int(count[:9]) if count else None)


def _signal(raw: Reader) -> str:
    text = (raw.text("stop_signal") or "SIGTERM").upper()
    name = text if text.isdecimal() or text.startswith("SIG") else f"SIG{text}"
    if not (name.isascii() and name.replace("+", "").replace("-", "").isalnum()):
        raw.wrong(("stop_signal",), text, "is not a signal such as SIGTERM")
        return "SIGTERM"
    return name


def _ports(entry: Reader) -> list[PublishedPort]:
    target = entry.integer("target", low=1, high=65535)
    if target is None:
        return []
    host, protocol = entry.text("host_ip") or "", entry.text("protocol") or "tcp"
    text = entry.text("published") or ""
    first, _, last = text.partition("-")
    if text and not (first.isdecimal() and (last or first).isdecimal() and text.isascii()):
        entry.wrong(("published",), text, "is not a port or a range of ports")
        return []
    if text and not 0 <= int(first) <= 65535:
        entry.wrong(("published",), text, "is not a port from 0 to 65535")
        return []
    # A range for one target lets Compose choose; the first is as good as any. 0 is any free one.
    published = int(first) if text and int(first) else None
    return [PublishedPort(target=target, published=published, host_ip=host, protocol=protocol)]


def _expose(raw: Reader) -> tuple[int, ...]:
    found: list[int] = []
    for index, word in enumerate(raw.words("expose") or ()):
        number = word.split("/")[0].split("-")[0]
        if number.isascii() and number.isdecimal() and 1 <= int(number) <= 65535:
            found.append(int(number))
        else:
            raw.wrong(("expose", index), word, "is not a port from 1 to 65535")
    return tuple(found)


def _aliases(name: str, raw: Reader) -> tuple[str, ...]:
    """Names by which others reach the service; `links` are the other side's (see `compose`)."""
    found = [raw.text("container_name"), raw.text("hostname")]
    for _, network in raw.children("networks"):
        found += network.words("aliases") or ()
    return tuple(dict.fromkeys(alias for alias in found if alias and alias != name))


def _asks(raw: Reader, project: str) -> tuple[str, ...]:
    found = [k for k in raw.values if k in keys.SERVICE_KEYS and keys.asks(k, raw.get(k))]
    build = raw.get("build")
    if isinstance(build, dict):
        found += [f"build.{key}" for key in keys.BUILD_ASKS if build.get(key)]
    for entry in raw.entries("volumes"):
        source = entry.text("source") or ""
        if entry.text("type") == "bind" and storage.of_the_machine(source, project):
            found.append(f"volumes[{source}]")
    return tuple(found)
