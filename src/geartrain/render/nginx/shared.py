"""One edge for several apps: what they share, and a file for each that stands for itself.

An app's file brings its own zones, upstream groups and servers under names that
begin with the app's. Requests go by host name; an app without domains takes
what nobody else claims on its ports. The servers of names that several apps
answer together are in a file of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from geartrain.app.model import App
from geartrain.app.policy import AppPolicy
from geartrain.app.routes import main_site
from geartrain.render.files import File, Tree
from geartrain.render.nginx.binding import Binding
from geartrain.render.nginx.claims import Claim, shared
from geartrain.render.nginx.edge import admin_server, main_settings
from geartrain.render.nginx.http import FORWARDED, forwarded, http_settings
from geartrain.render.nginx.joined import joined_file
from geartrain.render.nginx.locations import Own
from geartrain.render.nginx.mime import MIME_TYPES
from geartrain.render.nginx.sites import app_parts, stranger
from geartrain.render.nginx.tls import HSTS, Served, Tls, shown, strangers, tls_settings
from geartrain.render.nginx.words import block, time

RELEASE = "$gear_release"  # `shop 42`, in the access log and the cache's keys
VARIABLES = (RELEASE, "$forwarded_prefix")
JOINED = "shared.conf"


def edge_files(
    claims: Sequence[Claim], binding: Binding, served: Mapping[str, Served], kept: Mapping[str, str]
) -> Tree:
    """All files of a generation.

    Args:
        claims: what each app takes.
        binding: the host's folders, private address and generation.
        served: mark → a certificate.
        kept: the files of those apps whose claims are not enough to write them anew.

    Raises:
        InvalidError: a name or path cannot be written in nginx's language.
    """
    names = shared(claims)
    files = {
        f"apps/{one.app}.conf": File(
            0o644,
            app_file(one, binding, served, names.get(one.app, ())) if one.whole else kept[one.app],
        )
        for one in claims
    }
    if text := joined_file(claims, names, binding, served, _own):
        files[JOINED] = File(0o644, text)
    return {**host_files(claims, binding, joins=JOINED in files), **files}


def app_file(
    claim: Claim, host: Binding, served: Mapping[str, Served], without: Collection[str] = ()
) -> str:
    """The file of one app.

    Args:
        claim: what it takes.
        host: the host's folders.
        served: mark → a certificate.
        without: those of its names that others answer too.

    Raises:
        InvalidError: a name or path cannot be written in nginx's language.
    """
    own = _own(claim)
    sets, rest = own.sets, (*own.limits, *own.times)
    binding = replace(host, listen=claim.listen, servers=claim.backends, root=claim.root)
    parts = app_parts(
        claim.sites, binding, own=[*sets, 'set $forwarded_prefix "";', *rest],
        tls=_tls(claim, served), prefix=f"{claim.app}.", alone=False, without=without,
    )  # fmt: skip
    head = [f"# Written by Geartrain for {claim.app}, release {claim.release}."]
    return "\n\n".join("\n".join(part) for part in [head, *parts] if part) + "\n"


def _own(claim: Claim) -> Own:
    """What holds for what an app answers, and for nothing else."""
    timeout = time(claim.timeout)
    return Own(
        sets=(f'set {RELEASE} "{claim.app} {claim.release}";',),
        limits=(f"client_max_body_size {claim.max_body};",),
        times=(f"proxy_read_timeout {timeout};", f"proxy_send_timeout {timeout};"),
    )


def _tls(claim: Claim, served: Mapping[str, Served]) -> Tls | None:
    """What is served over TLS, a server for each certificate."""
    main = main_site(claim.sites)
    if main is None or not claim.tls:
        return None
    names: dict[str, tuple[str, ...]] = {}
    for name, mark in claim.certificates.items():
        names[mark] = (*names.get(mark, ()), name)
    return Tls(
        site=main.port,
        listen=claim.tls,
        port=claim.tls_port,
        served=tuple(replace(served[mark], names=several) for mark, several in names.items()),
        hsts=claim.hsts,
    )


def host_files(claims: Sequence[Claim], binding: Binding, *, joins: bool = False) -> Tree:
    """`nginx.conf`, which includes `apps/*.conf`, and the files that it needs.

    Args:
        claims: what each app takes.
        binding: the host's folders, private address and generation.
        joins: some apps answer a name together.
    """
    drains = [claim.drain for claim in claims] or [10.0]
    # Whoever drains longest decides when workers end, whoever drains shortest when they let go.
    longest = App(name="host", services={}, policy=AppPolicy(drain=_duration(max(drains))))
    shortest = App(name="host", services={}, policy=AppPolicy(drain=_duration(min(drains))))
    names = max((len(domain) for claim in claims for domain in claim.domains), default=0)
    secure = sorted({address for claim in claims for address in claim.tls})
    # Only what somebody needs: nginx takes a good part of a millisecond for each map that it reads,
    # at every reload, and starts two processes more for a cache.
    asked = [place for claim in claims for site in claim.sites for place in site.locations]
    old = not all(claim.whole for claim in claims)  # nobody knows what is in their files
    chosen = {domain: one for claim in claims for domain, one in claim.certificates.items()}
    parts = [
        [f"# Written by Geartrain for {binding.generation}; changes are lost at the next release."],
        main_settings(longest, binding),
        block(
            "http",
            http_settings(
                shortest, binding, longest=names, release=RELEASE,
                caches=old or any(one.cache is not None for one in asked),
                serves=True,  # what certificates are proven by
                static=old or any(one.static is not None for one in asked),
            ),
            [
                "# Set by the app's server; a request that reaches none has none.",
                "uninitialized_variable_warn off;",
                *([] if claims else [f'map "" {name} {{ default ""; }}' for name in VARIABLES]),
                *(_hsts() if secure or old else []),
                *(_streams() if old else []),
                "include apps/*.conf;",
                *([f"include {JOINED};"] if joins else []),
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


def _hsts() -> list[str]:
    return [
        "# Set where an app asks for it, on https alone; an empty header is not sent.",
        f'map "" {HSTS} {{ default ""; }}',
        f"add_header Strict-Transport-Security {HSTS} always;",
    ]


def _streams() -> list[str]:
    return [
        "# Files of earlier versions ask for these.",
        *block("map $http_upgrade $upgrade", ['default   "";', "websocket websocket;"]),
        *block("map $http_upgrade $proxy_connection", ['default   "";', "websocket upgrade;"]),
        *block(
            'map "$http_accept $http_upgrade" $stream',
            ["default 0;", '"~*^text/event-stream " 1;', '"~* websocket$" 1;'],
        ),
    ]


def _left(claims: Sequence[Claim]) -> list[str]:
    """Addresses on which no app takes what nobody claims."""
    every = {a for claim in claims for v in claim.listen.values() for a in v}
    taken = {a for c in claims if not c.domains for v in c.listen.values() for a in v}
    return sorted(every - taken)


def _duration(drain: float) -> str:
    return f"{round(drain * 1000)}ms"
