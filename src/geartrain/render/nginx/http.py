"""What holds for every site of the edge: times, limits, headers, compression, cache, log."""

from __future__ import annotations

from posixpath import join

from geartrain.app.model import App
from geartrain.app.units import seconds
from geartrain.render.nginx.binding import Binding
from geartrain.render.nginx.words import block, time, word

FORWARDED = "forwarded.conf"
CACHE_ZONE = "/cache"  # the slash keeps it apart from upstream groups, whose zones share its space

LOG = (
    ("time", "$msec", False),
    ("id", "$req_id", True),
    ("client", "$remote_addr", True),
    ("method", "$request_method", True),
    ("host", "$host", True),
    ("uri", "$request_uri", True),
    ("protocol", "$server_protocol", True),
    ("status", "$status", False),
    ("bytes", "$body_bytes_sent", False),
    ("seconds", "$request_time", False),
    ("upstream", "$upstream_addr", True),
    ("upstream_status", "$upstream_status", True),
    ("upstream_seconds", "$upstream_response_time", True),
    ("cache", "$upstream_cache_status", True),
    ("referer", "$http_referer", True),
    ("agent", "$http_user_agent", True),
)

COMPRESSED = (
    "application/atom+xml",
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/problem+json",
    "application/rss+xml",
    "application/wasm",
    "application/xhtml+xml",
    "application/xml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/javascript",
    "text/markdown",
    "text/plain",
    "text/xml",
)

HASHED = r"~[._-](?=[a-f]*[0-9])[0-9a-f]{8,}\.[0-9a-z.]+$"

# Sent unless the app says something else in the same header.
SECURITY = (
    ("X-Frame-Options", "x_frame_options", "SAMEORIGIN"),
    ("Referrer-Policy", "referrer_policy", "strict-origin-when-cross-origin"),
)


def http_settings(
    app: App,
    binding: Binding,
    *,
    caches: bool,
    serves: bool,
    static: bool,
    longest: int,
    release: str = "",
) -> list[str]:
    """Write the directives of `http` that stand above the servers.

    Args:
        app: limits and times.
        binding: folders, log and generation.
        caches: some route has a response cache.
        serves: some location serves files.
        static: some of them are an app's own.
        longest: length of the longest domain.
        release: names the release in the log and the cache; default the binding's generation.
    """
    said = release or binding.generation
    parts = [
        _basics(app, binding, longest, serves),
        _folders(binding),
        _log(binding, said, caches),
        _compression(),
        _maps(static),
        _answers(caches),
        _requests(app),
        _cache(binding, said) if caches else [],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part).split("\n")


def forwarded(*, strips: bool) -> str:
    """The file of what every request to a service says; `proxy_set_header` is inherited whole.

    Args:
        strips: some route takes its prefix off.
    """
    prefix = "$forwarded_prefix" if strips else '""'
    lines = [
        "# The edge is the first hop: what strangers say about themselves is replaced.",
        "proxy_set_header Host $host$is_request_port$request_port;",
        "proxy_set_header X-Request-ID $req_id;",
        "proxy_set_header X-Real-IP $remote_addr;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_set_header X-Forwarded-Proto $scheme;",
        "# The port is part of it, so that X-Forwarded-Port would say nothing more.",
        "proxy_set_header X-Forwarded-Host $host$is_request_port$request_port;",
        'proxy_set_header X-Forwarded-Port "";',
        f"proxy_set_header X-Forwarded-Prefix {prefix};",
        'proxy_set_header Forwarded "";',
        'proxy_set_header Proxy "";',
    ]
    return "\n".join(lines) + "\n"


def keepalive_min(app: App, binding: Binding) -> float:
    """Seconds for which an old worker keeps idle connections; always ends before the drain."""
    return min(binding.keepalive_min, seconds(app.policy.drain) / 2)


def _basics(app: App, binding: Binding, longest: int, serves: bool) -> list[str]:
    bucket = 64
    while bucket < longest + 32:
        bucket *= 2
    return [
        "include mime.types;",
        "default_type application/octet-stream;",
        "types_hash_max_size 4096;",
        f"server_names_hash_bucket_size {bucket};",
        # What is of the usual size need not be said; it is to stand before the first `map`.
        *([f"map_hash_bucket_size {bucket};"] if bucket > 64 else []),
        "server_tokens off;",
        "absolute_redirect off;",
        "",
        "sendfile on;",
        "tcp_nopush on;",
        *(
            [
                "# Files of a release never change.",
                "open_file_cache max=2000 inactive=60s;",
                "open_file_cache_valid 30s;",
            ]
            if serves
            else []
        ),
        "keepalive_timeout 65s;",
        "keepalive_requests 10000;",
        "# An old worker closes a connection only after it was idle for so long, so that a reload",
        "# meets no request on its way.",
        f"keepalive_min_timeout {time(keepalive_min(app, binding))};",
        "reset_timedout_connection on;",
        "",
        f"client_max_body_size {app.policy.max_body};",
        "client_body_buffer_size 128k;",
        "large_client_header_buffers 4 16k;",
        "client_header_timeout 15s;",
        "client_body_timeout 30s;",
        "send_timeout 30s;",
        "limit_req_status 429;",
        "limit_req_log_level warn;",
    ]


def _folders(binding: Binding) -> list[str]:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return [
        f"{kind}_temp_path {word(join(binding.folder, f'{kind}_temp'), 'folder')};"
        for kind in kinds
    ]


def _log(binding: Binding, release: str, caches: bool) -> list[str]:
    asked = [one if caches or one[0] != "cache" else ("cache", "", True) for one in LOG]
    pairs = [f'"{key}":"{value}"' if text else f'"{key}":{value}' for key, value, text in asked]
    pairs.append(f'"generation":"{release}"')
    lines = [f"    '{pair},'" for pair in pairs[:-1]] + [f"    '{pairs[-1]}}}';"]
    path = word(binding.access_log or join(binding.folder, "access.log"), "path")
    return [
        "log_format json escape=json",
        "    '{'",
        *lines,
        f"access_log {path} json buffer=64k flush=1s;",
    ]


def _compression() -> list[str]:
    return [
        "gzip on;",
        "gzip_vary on;",
        "gzip_proxied any;",
        "gzip_comp_level 5;",
        "gzip_min_length 1k;",
        "gzip_types",
        *(f"    {kind}" for kind in COMPRESSED[:-1]),
        f"    {COMPRESSED[-1]};",
    ]


def _maps(static: bool) -> list[str]:
    lines = [
        "# A caller's own request id is kept when it looks like one.",
        *block(
            "map $http_x_request_id $req_id",
            [
                '""      $request_id;',
                "default $request_id;",
                '"~^[0-9A-Za-z._~+/=-]{8,128}$" $http_x_request_id;',
            ],
        ),
        "",
        "# Headers that the app sends itself win.",
    ]
    for _, variable, value in SECURITY:
        lines += block(
            f"map $upstream_http_{variable} ${variable}", ['default "";', f'""      {value};']
        )
    if static:
        lines += [
            "",
            "# Files with a hash in their name never change; the rest is asked for again (ETag).",
            *block(
                "map $uri $static_cache",
                [
                    "default no-cache;",
                    rf'"{HASHED}" "public, max-age=31536000, immutable";',
                ],
            ),
        ]
    return lines


def _answers(caches: bool) -> list[str]:
    return [
        *(f"add_header {name} ${variable} always;" for name, variable, _ in SECURITY),
        "# It has one value only, so what the app says makes no difference.",
        "add_header X-Content-Type-Options nosniff always;",
        "proxy_hide_header X-Content-Type-Options;",
        "add_header X-Request-ID $req_id always;",
        "proxy_hide_header X-Request-ID;",
        *(["add_header X-Cache $upstream_cache_status always;"] if caches else []),
    ]


def _requests(app: App) -> list[str]:
    timeout = time(seconds(app.policy.timeout))
    return [
        "proxy_http_version 1.1;",
        f"include {FORWARDED};",
        "# Connections to the services are kept open; what is upgraded has a location of its own.",
        'proxy_set_header Connection "";',
        'proxy_set_header Upgrade "";',
        "proxy_redirect off;",
        "",
        "proxy_connect_timeout 5s;",
        f"proxy_read_timeout {timeout};",
        f"proxy_send_timeout {timeout};",
        "proxy_buffer_size 16k;",
        "proxy_buffers 8 16k;",
        "proxy_busy_buffers_size 32k;",
        "# A request that never reached a replica goes to the next one; one that did is sent again",
        "# only when doing it twice is harmless (not POST, PATCH, LOCK).",
        "proxy_next_upstream error timeout;",
        "proxy_next_upstream_timeout 10s;",
        "proxy_next_upstream_tries 3;",
    ]


def _cache(binding: Binding, release: str) -> list[str]:
    path = word(join(binding.folder, "cache"), "folder")
    url = "$scheme://$host$is_request_port$request_port$request_uri"
    return [
        "# Answers are kept for a release, and never for somebody who is signed in. What the app",
        "# says about caching (Cache-Control, Vary, Set-Cookie) goes before the route's own time.",
        f"proxy_cache_path {path}",
        f"    keys_zone={CACHE_ZONE}:10m levels=1:2 max_size=1g inactive=1h use_temp_path=off;",
        f'proxy_cache_key "{release} {url}";',
        "proxy_cache_lock on;",
        "proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504;",
        "proxy_cache_background_update on;",
        "proxy_cache_bypass $http_authorization $http_cookie;",
        "proxy_no_cache $http_authorization $http_cookie;",
    ]
