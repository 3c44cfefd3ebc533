"""One edge for several apps: what they share, and a file for each that stands for itself.

An app's file brings its own zones, upstream groups and servers under names that
begin with the app's. Requests go by host name; an app without domains takes
what nobody else claims on its ports.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from geartrain.app.model import App
from geartrain.app.policy import AppPolicy
from geartrain.app.routes import Site
from geartrain.app.units import seconds
from geartrain.render.files import File, Tree
from geartrain.render.nginx.binding import Binding
from geartrain.render.nginx.edge import admin_server, main_settings
from geartrain.render.nginx.http import FORWARDED, forwarded, http_settings
from geartrain.render.nginx.mime import MIME_TYPES
from geartrain.render.nginx.sites import app_parts, stranger
from geartrain.render.nginx.tls import HSTS, Tls, shown, strangers, tls_settings
from geartrain.render.nginx.words import block, time

RELEASE = "$gear_release"  # `shop 42`, in the access log and the cache's keys
VARIABLES = (RELEASE, "$forwarded_prefix")


class Claim(Struct, frozen=True, kw_only=True):
    """What an app takes of the edge. `drain` is in seconds, `listen` by the site's port.

    `tls` are the addresses of https, `certificates` what is served there: domain → fingerprint.
    """

    app: str
    release: int
    domains: tuple[str, ...] = ()
    listen: dict[int, tuple[str, ...]] = {}
    servers: tuple[str, ...] = ()  # `address:port` of every instance
    drain: float = 10.0
    tls: tuple[str, ...] = ()
    certificates: dict[str, str] = {}


def conflict(mine: Claim, others: Sequence[Claim]) -> str:
    """Why an app cannot have what it claims, or ""."""
    for other in others:
        if other.app == mine.app:
            continue
        if mixed := sorted((_open(mine) & {*other.tls}) | ({*mine.tls} & _open(other))):
            port = mixed[0].rpartition(":")[2]
            return f"port {port} is claimed by {mine.app} and by {other.app}, for http and https"
        taken = sorted((_open(mine) & _open(other)) | ({*mine.tls} & {*other.tls}))
        if not taken:
            continue
        if both := sorted(set(mine.domains) & set(other.domains)):
            return f"the domain {both[0]} is claimed by {mine.app} and by {other.app}"
        if not mine.domains and not other.domains:
            port = taken[0].rpartition(":")[2]
            return f"port {port} is claimed by {mine.app} and by {other.app}, for every host name"
    return ""


def _open(claim: Claim) -> set[str]:
    """The addresses of http."""
    return {address for group in claim.listen.values() for address in group}


def app_file(
    app: App, name: str, release: int, sites: tuple[Site, ...], binding: Binding,
    tls: Tls | None = None,
) -> str:  # fmt: skip
    """The file of one app.

    Args:
        app: limits and times.
        name: its name on the host.
        release: the release's number.
        sites: what it answers on.
        binding: where it runs; `generation`, `folder` and logs are the host's matter.
        tls: the site that is served over TLS, and its certificates.

    Raises:
        InvalidError: a name or path cannot be written in nginx's language.
    """
    timeout = time(seconds(app.policy.timeout))
    own = [
        f'set {RELEASE} "{name} {release}";',
        'set $forwarded_prefix "";',
        f"client_max_body_size {app.policy.max_body};",
        f"proxy_read_timeout {timeout};",
        f"proxy_send_timeout {timeout};",
    ]
    parts = app_parts(sites, binding, own=own, tls=tls, prefix=f"{name}.", alone=False)
    head = [f"# Written by Geartrain for {name}, release {release}."]
    return "\n\n".join("\n".join(part) for part in [head, *parts] if part) + "\n"


def host_files(claims: Sequence[Claim], binding: Binding) -> Tree:
    """`nginx.conf`, which includes `apps/*.conf`, and the files that it needs.

    Args:
        claims: what each app takes.
        binding: the host's folders, private address and generation.
    """
    drains = [claim.drain for claim in claims] or [10.0]
    # Whoever drains longest decides when workers end, whoever drains shortest when they let go.
    longest = App(name="host", services={}, policy=AppPolicy(drain=_duration(max(drains))))
    shortest = App(name="host", services={}, policy=AppPolicy(drain=_duration(min(drains))))
    names = max((len(domain) for claim in claims for domain in claim.domains), default=0)
    secure = sorted({address for claim in claims for address in claim.tls})
    chosen = {domain: one for claim in claims for domain, one in claim.certificates.items()}
    parts = [
        [f"# Written by Geartrain for {binding.generation}; changes are lost at the next release."],
        main_settings(longest, binding),
        block(
            "http",
            http_settings(
                shortest, binding, caches=True, serves=True, longest=names,
                release=RELEASE,
            ),
            [
                "# Set by the app's server; a request that reaches none has none.",
                "uninitialized_variable_warn off;",
                *([] if claims else [f'map "" {name} {{ default ""; }}' for name in VARIABLES]),
                "# Set where an app asks for it, on https alone; an empty header is not sent.",
                f'map "" {HSTS} {{ default ""; }}',
                f"add_header Strict-Transport-Security {HSTS} always;",
                "include apps/*.conf;",
            ],
            tls_settings(hybrid=binding.hybrid) if secure else [],
            shown(chosen) if secure else [],
            strangers(secure) if secure else [],
            *(stranger([address]) for address in _left(claims)),
            admin_server(binding.admin, binding.generation),
        ),
    ]  # fmt: skip
    text = "\n\n".join("\n".join(part) for part in parts)
    return {
        "nginx.conf": File(0o644, f"{text}\n"),
        "mime.types": File(0o644, MIME_TYPES),
        FORWARDED: File(0o644, forwarded(strips=True)),
    }


def _left(claims: Sequence[Claim]) -> list[str]:
    """Addresses on which no app takes what nobody claims."""
    every = {a for claim in claims for v in claim.listen.values() for a in v}
    taken = {a for c in claims if not c.domains for v in c.listen.values() for a in v}
    return sorted(every - taken)


def _duration(drain: float) -> str:
    return f"{round(drain * 1000)}ms"
