"""The locations of a site: what one URL path does in the edge's configuration."""

from __future__ import annotations

import math
import re
from posixpath import join
from urllib.parse import quote

from msgspec import Struct

from geartrain.app.routes import Location
from geartrain.app.units import seconds
from geartrain.render.nginx.http import CACHE_ZONE, FORWARDED
from geartrain.render.nginx.words import block, expression, time, word

STREAM_TIMEOUT = 3600.0  # seconds of silence on a WebSocket or an event stream


class Own(Struct, frozen=True, kw_only=True):
    """What holds for the locations of one app where their server is other apps' too."""

    sets: tuple[str, ...] = ()
    """Variables: not inherited, so that every location has them."""
    limits: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    """For what is no stream."""

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it."""
        return (*self.sets, *self.limits, *self.times)


def locations(
    location: Location, group: str, zone: str, root: str, own: Own | None = None
) -> list[list[str]]:
    """Write one location of a site as nginx blocks.

    Args:
        location: the path and what answers.
        group: name of the upstream group of its service.
        zone: name of its rate limit's zone.
        root: absolute folder of the release's checkout.
        own: what does not hold for the whole server.
    """
    own = own or Own()
    if location.static is None:
        proxied = [*own.lines, *_proxied(location, group, zone)]
        blocks = [block(head, proxied) for head in _heads(location.path)]
        return [*blocks, *_streams(location, group, zone, own)]
    if location.service is None:
        return [block(head, *_files(location, head, root, own)) for head in _heads(location.path)]
    named = f"@below{location.path}"
    files = [
        *_files(location, _heads(location.path)[-1], root, own),
        [
            "# What is no file, and every write, goes to the service.",
            f"try_files $uri $uri/index.html {word(named)};",
            f"error_page 405 = {word(named)};",
        ],
    ]
    return [
        block(_heads(location.path)[-1], *files),
        block(f"location {word(named)}", [*own.lines, *_proxied(location, group, zone)]),
        *_streams(location, group, zone, own),
    ]


def elsewhere(location: Location, where: str) -> list[list[str]]:
    """Write that callers of one location are sent to another URL; 308 keeps a POST a POST."""
    return [[f"{head} {{ return 308 {where}; }}"] for head in _heads(location.path)]


def _heads(path: str) -> tuple[str, ...]:
    """`/api` is itself and what is below, but not `/apiary`; `/api/` only what is below."""
    if path.endswith("/"):
        return (f"location {word(path)}",)
    return (f"location = {word(path)}", f"location {word(path + '/')}")


def below(path: str) -> str:
    """The variable that holds what comes after a prefix that is taken off."""

    def plain(found: re.Match[str]) -> str:
        return "_" if found[0] == "/" else f"_{ord(found[0]):x}_"

    return f"$below{re.sub('[^a-z0-9]', plain, path.rstrip('/'))}"


def strip_map(path: str) -> list[str]:
    """Write the map that takes a prefix off as the caller wrote it, so that %2F stays %2F."""
    prefix = re.escape(quote(path.rstrip("/"), safe="/~!&'()*+,=:@._-"))
    return block(
        f"map $request_uri {below(path)}",
        [
            'default " ";  # in no request: this one writes the prefix in another way',
            f"{expression(f'~^{prefix}(?:/|(?=[?]|$))(.*)$')} $1;",
        ],
    )


def _proxied(location: Location, group: str, zone: str) -> list[str]:
    return [
        # Asked here, and not by a `map` for all locations: nginx prepares every map anew, for a
        # good part of a millisecond, each time that it reads its configuration.
        "# WebSockets and event streams may be silent for long.",
        "if ($http_upgrade ~* ^websocket$) { return 418; }",
        "if ($http_accept ~* ^text/event-stream$) { return 419; }",
        f"error_page 418 = {word(f'@socket{location.path}')};",
        f"error_page 419 = {word(f'@events{location.path}')};",
        *_limit(location, zone),
        *_cache(location),
        *_pass(location, group),
    ]


def _streams(location: Location, group: str, zone: str, own: Own) -> list[list[str]]:
    head = [*own.sets, *own.limits, *_limit(location, zone)]
    rest = [
        f"proxy_read_timeout {time(STREAM_TIMEOUT)};",
        f"proxy_send_timeout {time(STREAM_TIMEOUT)};",
        *_pass(location, group),
    ]
    upgraded = [
        f"include {FORWARDED};",
        "proxy_set_header Connection upgrade;",
        "proxy_set_header Upgrade websocket;",
    ]
    return [
        block(f"location {word(f'@socket{location.path}')}", [*head, *upgraded, *rest]),
        block(
            f"location {word(f'@events{location.path}')}", [*head, "proxy_buffering off;", *rest]
        ),
    ]


def _pass(location: Location, group: str) -> list[str]:
    if not location.strip:
        return [f"proxy_pass http://{group};"]
    rest = below(location.path)
    return [
        f"set $forwarded_prefix {word(location.path.rstrip('/'), 'path')};",
        f'if ({rest} = " ") {{ return 404; }}',
        f"proxy_pass http://{group}/{rest};",
    ]


def _limit(location: Location, zone: str) -> list[str]:
    if location.rate_limit is None:
        return []
    count = int(location.rate_limit.split("/")[0])
    burst = f" burst={count - 1} nodelay" if count > 1 else ""
    return [f"limit_req zone={zone}{burst};"]


def _cache(location: Location) -> list[str]:
    if location.cache is None:
        return []
    return [
        f"proxy_cache {CACHE_ZONE};",
        f"proxy_cache_valid 200 {max(1, math.ceil(seconds(location.cache)))}s;",
    ]


def _files(location: Location, head: str, root: str, own: Own) -> list[list[str]]:
    folder = join(root, location.static or "").removesuffix("/.")
    below = head.rstrip('"').endswith("/")
    if location.path == "/":
        place = f"root {word(folder, 'folder')};"
    else:
        place = f"alias {word(folder + ('/' if below else ''), 'folder')};"
    serve = [
        *own.lines,
        place,
        f"disable_symlinks on {word(f'from={root}', 'folder')};",
        "charset utf-8;",
        "add_header_inherit merge;",
        "add_header Cache-Control $static_cache;",
    ]
    said = "".join(f"{line} " for line in own.sets)
    hidden = [rf"location ~ /\.(?!well-known(/|$)) {{ {said}return 404; }}"]
    return [serve, hidden] if below else [serve]
