"""Domains and paths that an app of the host has: no second app may take them."""

from __future__ import annotations

from geartrain.app.model import App
from geartrain.app.routes import Site, main_site, sites
from geartrain.errors import GearError, InvalidError, Problem
from geartrain.release import target
from geartrain.release.history import History
from geartrain.render.nginx.claims import same_path
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


def _live(other: ServerApp, wanted: App) -> App | None:
    """Another app as it is live, where it has a domain that is wanted."""
    domains = frozenset(wanted.policy.domains)
    # Which of its releases is live takes a process to ask: most apps have nothing to do with it.
    kept = target.kept(other.folder / "releases")
    if not any(domains.intersection(one.app.policy.domains) for one in kept):
        return None
    try:
        live = History(other.repository).desired().live
    except GearError:
        return None  # its history is damaged; what it claims is for its own next command to say
    release = target.read(other.folder / "releases", live)
    mine = release.app if release else None
    return mine if mine and domains.intersection(mine.policy.domains) else None
