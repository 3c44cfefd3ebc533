"""Which of Compose's standard keys mean something here, and what happens to the rest.

One table for the decoder, the error messages and `docs/compose-reference.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """What Geartrain does with a key."""

    USED = "used"
    ALIAS = "used as a name"  # said once as a notice
    DOCKER = "Docker engine only"
    ASKS = "left to the host's owner"  # more rights on the machine than an app needs
    IGNORED = "no effect"


@dataclass(frozen=True, slots=True)
class Key:
    """One standard key of a service: its effect, and a sentence for the reference."""

    effect: Effect
    says: str


_U, _A, _D, _X, _N = Effect.USED, Effect.ALIAS, Effect.DOCKER, Effect.ASKS, Effect.IGNORED

SERVICE_KEYS: dict[str, Key] = {
    "annotations": Key(_D, "Passed on."),
    "attach": Key(_N, "Logs are kept for every service."),
    "blkio_config": Key(_D, "Passed on."),
    "build": Key(_U, "Makes the image, from a context inside the repository."),
    "cap_add": Key(_X, "More kernel rights."),
    "cap_drop": Key(_D, "Passed on."),
    "cgroup": Key(_X, "The machine's control groups."),
    "cgroup_parent": Key(_X, "The machine's control groups."),
    "command": Key(_U, "Replaces the image's command."),
    "configs": Key(_U, "Files given to the service."),
    "container_name": Key(_A, "Becomes a further network name: releases run side by side."),
    "cpu_count": Key(_D, "Passed on."),
    "cpu_percent": Key(_D, "Passed on."),
    "cpu_period": Key(_D, "Passed on."),
    "cpu_quota": Key(_D, "Passed on."),
    "cpu_rt_period": Key(_D, "Passed on."),
    "cpu_rt_runtime": Key(_D, "Passed on."),
    "cpu_shares": Key(_D, "Passed on."),
    "cpus": Key(_U, "Limit, as `deploy.resources.limits.cpus`."),
    "cpuset": Key(_D, "Passed on."),
    "credential_spec": Key(_X, "Windows only."),
    "depends_on": Key(_U, "Order of start, with `condition` and `required`."),
    "deploy": Key(
        _U,
        "`replicas`, `resources.limits`, `restart_policy`, and of `update_config` `order`,"
        " `parallelism`, `delay`, `monitor` and `failure_action`.",
    ),
    "develop": Key(_N, "`gear up --watch` follows the whole repository."),
    "device_cgroup_rules": Key(_X, "The machine's devices."),
    "devices": Key(_X, "The machine's devices."),
    "dns": Key(_D, "Passed on."),
    "dns_opt": Key(_D, "Passed on."),
    "dns_search": Key(_D, "Passed on."),
    "domainname": Key(_D, "Passed on."),
    "entrypoint": Key(_U, "Replaces the image's entry point; `[]` clears it."),
    "env_file": Key(_U, "Read by Compose; the file lies inside the repository."),
    "environment": Key(_U, "A key without a value is taken from the caller's environment."),
    "expose": Key(_U, "Port on which the service answers."),
    "extends": Key(_U, "Resolved by Compose; the file lies inside the repository."),
    "external_links": Key(_X, "Containers of other apps."),
    "extra_hosts": Key(_D, "Passed on."),
    "gpus": Key(_X, "The machine's devices."),
    "group_add": Key(_X, "Groups of the machine."),
    "healthcheck": Key(_U, "When an instance counts as ready. `NONE` and `disable` turn it off."),
    "hostname": Key(_A, "A further network name; the instances' own names differ."),
    "image": Key(_U, "Tells the role; run as it is by the Docker engine."),
    "init": Key(_D, "Passed on."),
    "ipc": Key(_X, "The machine's shared memory."),
    "isolation": Key(_D, "Windows only."),
    "label_file": Key(_D, "Passed on; the file lies inside the repository."),
    "labels": Key(_D, "Passed on."),
    "links": Key(_A, "Services reach each other by name; `db:database` adds the name `database`."),
    "logging": Key(_N, "Geartrain keeps and rotates logs itself."),
    "mac_address": Key(_N, "Two releases cannot share one."),
    "mem_limit": Key(_U, "Limit, as `deploy.resources.limits.memory`."),
    "mem_reservation": Key(_D, "Passed on."),
    "mem_swappiness": Key(_D, "Passed on."),
    "memswap_limit": Key(_D, "Passed on."),
    "models": Key(_N, "Needs Docker Model Runner."),
    "network_mode": Key(_X, "Networks of the host or of other containers."),
    "networks": Key(_U, "Aliases become names; the app's services share one network per release."),
    "oom_kill_disable": Key(_X, "Can take all memory of the machine."),
    "oom_score_adj": Key(_D, "Passed on."),
    "pid": Key(_X, "The machine's processes."),
    "pids_limit": Key(_U, "Limit, as `deploy.resources.limits.pids`."),
    "platform": Key(_D, "Passed on."),
    "ports": Key(_U, "On a web service the edge listens there and proxies."),
    "post_start": Key(_N, "Use `x-gear.release` for what runs before a switch."),
    "pre_stop": Key(_N, "Stop signals go to the service itself."),
    "privileged": Key(_X, "All rights on the machine."),
    "profiles": Key(_U, "Resolved by Compose: `gear up --profile NAME`."),
    "provider": Key(_X, "Runs another program on the machine."),
    "pull_policy": Key(_D, "Passed on."),
    "read_only": Key(_D, "Passed on."),
    "restart": Key(_U, 'Default `always`. `"no"` on a service without ports makes it run once.'),
    "runtime": Key(_X, "Another container runtime."),
    "scale": Key(_U, "Instances, as `deploy.replicas`."),
    "secrets": Key(_U, "Files given to the service; never read while loading."),
    "security_opt": Key(_X, "Can turn off protections."),
    "shm_size": Key(_D, "Passed on."),
    "stdin_open": Key(_N, "Instances have no terminal; use `gear exec`."),
    "stop_grace_period": Key(_U, "Time between the stop signal and the kill; default 10 s."),
    "stop_signal": Key(_U, "Default `SIGTERM`."),
    "storage_opt": Key(_D, "Passed on."),
    "sysctls": Key(_X, "Kernel settings."),
    "tmpfs": Key(_U, "A folder in memory, as a mount of type tmpfs."),
    "tty": Key(_N, "Instances have no terminal; use `gear exec`."),
    "ulimits": Key(_D, "Passed on."),
    "use_api_socket": Key(_X, "The Docker socket: root in all but name."),
    "user": Key(_U, "User that the service runs as."),
    "userns_mode": Key(_X, "The machine's users."),
    "uts": Key(_X, "The machine's host name."),
    "volumes": Key(_U, "Named volumes outlive releases; bind mounts lie in the repository."),
    "volumes_from": Key(_X, "Folders of other containers."),
    "working_dir": Key(_U, "Folder that the command runs in."),
}  # fmt: skip

TOP_KEYS: dict[str, Key] = {
    "configs": Key(
        _U, "Texts given to services as files, from `file`, `environment` or `content`."
    ),
    "include": Key(_U, "Resolved by Compose; the files lie inside the repository."),
    "models": Key(_N, "Needs Docker Model Runner."),
    "name": Key(_U, "Name of the app, unless `x-gear.name` says another."),
    "networks": Key(_N, "An app has one private network for each release."),
    "secrets": Key(
        _U, "From `file` or `environment`; `external` is the variable or secret of its name."
    ),
    "services": Key(_U, "What runs."),
    "version": Key(_N, "Obsolete in Compose itself."),
    "volumes": Key(_U, "Data that outlives releases."),
}

# What the Docker engine passes on as it is written; the rights only where the host's owner agrees.
FOR_DOCKER = (Effect.DOCKER, Effect.ASKS)

# Build keys that reach beyond the build's own folder.
BUILD_ASKS = ("additional_contexts", "entitlements", "network", "privileged", "ssh")


# Rights that no owner of a host can grant: they lead to other containers of the Compose file, of
# which a release has several, or into a build as nothing here passes them on.
NEVER = frozenset(
    {"credential_spec", "external_links", "provider", "volumes_from"}
    | {f"build.{key}" for key in BUILD_ASKS if key != "network"}
)


def asks(name: str, value: object) -> bool:
    """True when a service key asks for more rights on the machine than an app needs."""
    if value in (None, False, "", [], {}):
        return False
    if name == "network_mode":
        return value not in ("bridge", "none")
    if name in ("ipc", "cgroup"):
        return value not in ("private", "none", "shareable")
    return SERVICE_KEYS[name].effect is Effect.ASKS
