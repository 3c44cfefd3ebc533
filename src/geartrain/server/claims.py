"""Domains and paths that an app of the host has: no second app may take them.

What is free of a domain that another app has, an app may take whose pusher may push that one too:
browsers take a domain for one site, and so its apps have to trust each other.
"""

from __future__ import annotations

from geartrain.app.model import App
from geartrain.app.routes import Site, main_site, sites
from geartrain.errors import GearError, InvalidError, Problem
from geartrain.release import target
from geartrain.release.history import History
from geartrain.render.nginx.claims import same_path
from geartrain.server.access import keys
from geartrain.server.app import ServerApp
from geartrain.server.host import EngineKind


def refuse_taken(app: ServerApp, wanted: App) -> None:
    """Raise when another app's live release answers to one of the domains, at one of the paths.

    Apps on Docker share an nginx, and so a domain, as long as their paths differ.
    Where each app has an nginx of its own, a domain is one app's.

    Args:
        app: the app that is to be released.
        wanted: what its Compose file says.

    Raises:
        InvalidError: a domain is another app's; with all of them.
    """
    if not wanted.policy.domains:
        return
    mine, joins = sites(wanted), app.host.facts.engine is EngineKind.DOCKER
    found = []
    for name in app.host.names():
        other = _live(ServerApp(app.host, name), wanted) if name != app.name else None
        if other is None:
            continue
        path = _both(mine, other)
        if path is None and joins:
            continue
        why = ", whatever their paths: here each app has an nginx of its own"
        where = why if path is None else f", with the path {path}" if path and joins else ""
        found += [
            Problem(where="x-gear.domains", what=f"{domain} is the app {name}'s{where}")
            for domain in wanted.policy.domains
            if domain in other.policy.domains
        ]
    if found:
        raise InvalidError(
            "another app of this host answers to the same domain",
            problems=found,
            remedy=f"take the domain{' or the path' if joins else ''} away from one of them, and"
            " release that one first",
        )


def _both(mine: tuple[Site, ...], other: App) -> str | None:
    """A path that both apps answer, on one port or where a domain leads without one.

    "" when one of them answers all of them.
    """
    try:
        theirs = sites(other)
    except InvalidError:  # which an older version took
        return ""
    pairs = [(one, two) for one in mine for two in theirs if one.port == two.port]
    main, their_main = main_site(mine), main_site(theirs)
    if main is not None and their_main is not None:
        pairs.append((main, their_main))  # https leads to these
    shared = (same_path(one.locations, two.locations) for one, two in pairs)
    return next((path for path in shared if path is not None), None)


def refuse_uninvited(app: ServerApp, wanted: App, by: str) -> None:
    """Raise when a push has an app join another one that the pusher's key is not for.

    Those that are together already stay so, whoever pushes.

    Args:
        app: the app that is to be released.
        wanted: what its Compose file says.
        by: the name of the key; whoever has none is the host's owner.

    Raises:
        InvalidError: it would answer a domain or a port of such an app; with all of them.
    """
    key = keys.read(app.host).get(by)
    if key is None:
        return
    found = []
    for name in app.host.names():
        if name == app.name or key.reaches(name):
            continue
        other = _live(ServerApp(app.host, name), wanted)
        if other is None:
            continue
        now = _live(app, other)
        new = _together(wanted, other) - (_together(now, other) if now else frozenset())
        found += [
            Problem(where="x-gear.domains" if wanted.policy.domains else "ports",
                    what=f"{one} is the app {name}'s")
            for one in sorted(new)
        ]  # fmt: skip
    if found:
        raise InvalidError(
            f"the key {by} is not for the apps that this one would share a domain with",
            problems=found,
            remedy=f"have somebody push it first whose key is for them too, or give {by} the role"
            " for them: gear keys add",
        )


def _together(one: App, other: App) -> frozenset[str]:
    """What two apps both answer: domains, or ports under whatever name nobody else has."""
    if one.policy.domains or other.policy.domains:
        return frozenset(one.policy.domains).intersection(other.policy.domains)
    return frozenset(f"port {port}" for port in _ports(one) & _ports(other))


def _ports(app: App) -> set[int]:
    try:
        return {site.port for site in sites(app)}
    except InvalidError:  # which an older version took
        return set()


def _live(other: ServerApp, wanted: App) -> App | None:
    """Another app as it is live, where it answers something that is wanted."""
    # Which of its releases is live takes a process to ask: most apps have nothing to do with it.
    kept = target.kept(other.folder / "releases")
    if not any(_together(wanted, one.app) for one in kept):
        return None
    try:
        live = History(other.repository).desired().live
    except GearError:
        return None  # its history is damaged; what it claims is for its own next command to say
    release = target.read(other.folder / "releases", live)
    mine = release.app if release else None
    return mine if mine and _together(wanted, mine) else None
