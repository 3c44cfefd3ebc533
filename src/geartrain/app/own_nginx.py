"""Which nginx services bring a configuration of their own."""

from __future__ import annotations

import re

from geartrain.app.model import Service

_OTHER_FILE = re.compile(r"\bnginx\b.* -c\s*/")  # nginx with another main file
_CONFIG_HOMES = ("/etc/nginx/nginx.conf", "/etc/nginx/conf.d", "/etc/nginx/templates")


def own_config(service: Service) -> bool:
    """True when an nginx service brings its own configuration: mounted, granted, built in,
    or put in place by its command."""
    targets = [m.target for m in service.mounts] + [g.target for g in service.configs]
    return (
        made_by_command(service)
        or service.build is not None
        or any(
            f"{target.rstrip('/')}/".startswith(f"{home}/") or target.rstrip("/") == "/etc/nginx"
            for target in targets
            for home in _CONFIG_HOMES
        )
    )


def made_by_command(service: Service) -> bool:
    """True when an nginx service's command names or writes the configuration that it runs with."""
    words = " ".join((*(service.entrypoint or ()), *(service.command or ())))
    return "/etc/nginx" in words or _OTHER_FILE.search(words) is not None
