"""Keys of a host from before: who still needs them, and when they go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from geartrain.errors import GearError
from geartrain.server.app import ServerApp
from geartrain.server.host import ServerHost
from geartrain.server.secrets import box, host_key


def needed(host: ServerHost) -> dict[str, tuple[str, ...]]:
    """By the public half of each key from before, the kept releases that it alone opens: `shop 7`.

    Args:
        host: the host.
    """
    from geartrain.server.secrets import age

    keys = age.identities(host_key.path(host.folder))
    names = host_key.publics(host.folder)
    found: dict[str, list[str]] = {name: [] for name in names[1:]}
    for who, places in _kept(host) if found else ():
        sealed = next(filter(None, (box.read(place) for place in places)), None)
        left = box.closed_to(sealed, keys[:1]) if sealed else ()
        for name, key in zip(names[1:], keys[1:], strict=True):
            if left and sealed and len(box.closed_to(sealed, [key])) < len(sealed.secrets):
                found[name].append(who)
    return {name: tuple(one) for name, one in found.items()}


def forget(host: ServerHost, held: str) -> tuple[str, ...]:
    """Delete the keys from before that no kept release needs, unless somebody is at work.

    Args:
        host: the host.
        held: the app whose lock the caller has.

    Returns:
        Their public halves.
    """
    if not (host.folder / host_key.FILE).exists() or len(host_key.publics(host.folder)) < 2:
        return ()
    with ExitStack() as held_now:
        try:
            for name in host.names():
                if name != held:
                    home = ServerApp(host, name).home()
                    held_now.enter_context(home.lock("`gear host key`", wait=False))
            gone = tuple(name for name, who in needed(host).items() if not who)
        except GearError:
            return ()  # a push that is at it may need one; the next one looks again
        host_key.drop(host.folder, gone)
    return gone


def _kept(host: ServerHost) -> Iterator[tuple[str, tuple[Path, Path]]]:
    """The kept releases of all apps, and where their files of secrets are."""
    for name in host.names():
        for folder in sorted((host.apps / name / "releases").glob("*")):
            if folder.name.isdecimal():
                yield f"{name} {folder.name}", (folder, folder / "src")
