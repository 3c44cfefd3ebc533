"""The edge: one nginx configuration for all sites of a release, as an expert writes it by hand.

Sources: nginx.org's module reference; the measured switch in `docs/`.
"""

from __future__ import annotations

from posixpath import join

from geartrain.app.model import App
from geartrain.app.routes import Site
from geartrain.app.units import seconds
from geartrain.render.files import File, Tree
from geartrain.render.nginx.binding import Binding
from geartrain.render.nginx.http import FORWARDED, forwarded, http_settings
from geartrain.render.nginx.mime import MIME_TYPES
from geartrain.render.nginx.sites import app_parts
from geartrain.render.nginx.tls import Tls
from geartrain.render.nginx.words import block, time, word


def render_edge(
    app: App, sites: tuple[Site, ...], binding: Binding, tls: Tls | None = None
) -> Tree:
    """Write the edge's `nginx.conf` and the files that it includes.

    Args:
        app: limits and times.
        sites: what `geartrain.app.routes.sites` found.
        binding: where it all runs on this host.
        tls: the site that is served over TLS, and its certificate.

    Raises:
        InvalidError: a name or path cannot be written in nginx's language.
    """
    asked = [location for site in sites for location in site.locations]
    static = any(one.static is not None for one in asked)
    strips = any(one.strip for one in asked)
    own = ['set $forwarded_prefix "";'] if strips else []
    parts = [
        [f"# Written by Geartrain for {binding.generation}; changes are lost at the next release."],
        main_settings(app, binding),
        block(
            "http",
            http_settings(
                app,
                binding,
                caches=any(one.cache for one in asked),
                serves=static,
                static=static,
                longest=max((len(name) for site in sites for name in site.domains), default=0),
            ),
            *app_parts(sites, binding, tls=tls, own=own),
            admin_server(binding.admin, binding.generation),
        ),
    ]  # fmt: skip
    text = "\n\n".join("\n".join(part) for part in parts)
    return {
        "nginx.conf": File(0o644, f"{text}\n"),
        "mime.types": File(0o644, MIME_TYPES),
        FORWARDED: File(0o644, forwarded(strips=strips)),
    }


def main_settings(app: App, binding: Binding) -> list[str]:
    """Write what stands outside `http`: processes, logs, and how long a reload waits."""
    drain = seconds(app.policy.drain)
    return [
        *([f"user {word(binding.user, 'user')};"] if binding.user else []),
        "daemon off;",
        f"pid {word(join(binding.folder, 'nginx.pid'), 'folder')};",
        f"error_log {word(binding.error_log, 'path')} warn;",
        "worker_processes auto;",
        "worker_rlimit_nofile 16384;",
        "# Old workers go on for so long after a reload, for requests that are still open.",
        f"worker_shutdown_timeout {time(drain)};",
        "",
        *block("events", ["worker_connections 8192;"]),
    ]


def admin_server(admin: str, generation: str) -> list[str]:
    """Write the private server that tells which configuration answers."""
    return block(
        "server",
        [f"listen {admin};", "server_name _;", "access_log off;",
         "default_type text/plain;"],
        [
            f'location = /generation {{ return 200 "{generation}\\n"; }}',
            'location = /health { return 200 "ok\\n"; }',
            "location / { return 404; }",
        ],
    )  # fmt: skip
