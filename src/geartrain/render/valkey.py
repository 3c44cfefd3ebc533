"""Redis's own files: `valkey.conf` and the ACL file.

Source: redis.io, "Redis configuration" and "ACL"; Valkey reads the same.
"""

from __future__ import annotations

import hashlib

from geartrain.app.credentials import CacheLogins
from geartrain.app.model import Keep, Service
from geartrain.render.files import File

# Nobody but the machine's owner reconfigures, debugs or stops the server.
APP_RULES = "~* &* +@all -@admin -@dangerous +info +keys +flushdb +sort"


def keep_of(service: Service) -> Keep:
    """What the service does with its keys.

    `x-gear.keep` says it; else a command that turns the append-only file on,
    or a volume at `/data`, means durable. Without any of them it is a cache.
    """
    if service.gear.keep:
        return service.gear.keep
    declared = _declared(service)
    if declared.get("appendonly") == "yes" or "save" in declared:
        return Keep.DURABLE
    return Keep.DURABLE if any(m.target == "/data" for m in service.mounts) else Keep.EVICT


def declared_password(service: Service) -> str:
    """The password that the service's own command sets for the default user, or ""."""
    return _declared(service).get("requirepass", "")


def files(
    service: Service, logins: CacheLogins, address: str, folder: str, data: str = ""
) -> dict[str, File]:
    """The configuration of one Redis service.

    Args:
        service: the cache service.
        logins: who may log in.
        address: the only address that it listens on; `*` for all of a container.
        folder: absolute folder with the service's `conf/`.
        data: absolute folder of its data; default `data/` in `folder`.
    """
    declared = _declared(service)
    durable = keep_of(service) is Keep.DURABLE
    memory = declared.get("maxmemory") or _memory(service)
    evict = declared.get("maxmemory-policy", "allkeys-lru")
    conf = [
        "# Written by Geartrain; changes are made in the Compose file.",
        f"bind {address}",
        "port 6379",
        # With it, nobody beyond the machine would get in where no password is wanted.
        f"protected-mode {'no' if logins.open and address == '*' else 'yes'}",
        "daemonize no",
        f"dir {quote(data or folder + '/data')}",
        f"aclfile {quote(folder + '/conf/users.acl')}",
        "tcp-keepalive 60",
        f"maxmemory {memory}",
        f"maxmemory-policy {'noeviction' if durable else evict}",
        *(
            ("appendonly yes", "appendfsync everysec", "save 900 1")
            if durable
            else ("appendonly no", 'save ""')
        ),
    ]
    acl = [f"user {logins.app.user} on {_hash(logins.app.password)} {APP_RULES}"]
    if logins.default:
        acl.append(f"user default on {_hash(logins.default)} {APP_RULES}")
    elif logins.open:
        acl.append(f"user default on nopass {APP_RULES}")
    else:
        acl.append("user default off")
    return {
        "conf/valkey.conf": File(0o644, "\n".join(conf) + "\n"),
        "conf/users.acl": File(0o600, "\n".join(acl) + "\n"),
    }


def _hash(password: str) -> str:
    """A password as the ACL file takes it whatever it holds: its SHA-256."""
    return "#" + hashlib.sha256(password.encode()).hexdigest()


def quote(text: str) -> str:
    """An argument in double quotes, as the configuration reader takes it apart."""
    if "\n" in text or "\0" in text:
        raise ValueError("a path cannot hold a line end")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _memory(service: Service) -> str:
    """Three quarters of the service's memory limit, or 256 MB."""
    limit = service.limits.memory
    return f"{limit * 3 // 4}" if limit else "256mb"


def _declared(service: Service) -> dict[str, str]:
    """`--name value` pairs of the service's command."""
    found: dict[str, str] = {}
    words = list(service.command or ())
    if len(words) == 3 and words[:2] in (["sh", "-c"], ["/bin/sh", "-c"]):
        words = words[2].split()
    for word, value in zip(words, [*words[1:], ""], strict=False):
        if word.startswith("--") and not any(c in value for c in "\n\0 "):
            found[word[2:].lower()] = value.strip("\"'")
    return found
