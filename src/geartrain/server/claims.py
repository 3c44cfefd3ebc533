"""Domains that an app of the host has: no second app may take them."""

from __future__ import annotations

from geartrain.app.model import App
from geartrain.errors import GearError, InvalidError, Problem
from geartrain.release import target
from geartrain.release.history import History
from geartrain.server.app import ServerApp


def refuse_taken(app: ServerApp, wanted: App) -> None:
    """Raise when another app's live release answers to one of the domains.

    Args:
        app: the app that is to be released.
        wanted: what its Compose file says.

    Raises:
        InvalidError: a domain is another app's; with all of them.
    """
    if not wanted.policy.domains:
        return
    taken: dict[str, str] = {}
    for name in app.host.names():
        if name != app.name:
            other = ServerApp(app.host, name)
            taken |= dict.fromkeys(_domains(other, frozenset(wanted.policy.domains)), name)
    found = [
        Problem(where="x-gear.domains", what=f"{domain} is the app {taken[domain]}'s")
        for domain in wanted.policy.domains
        if domain in taken
    ]
    if found:
        raise InvalidError(
            "another app of this host answers to the same domain",
            problems=found,
            remedy="take the domain away from one of them, and release that one first",
        )


def _domains(other: ServerApp, wanted: frozenset[str]) -> list[str]:
    # Which of its releases is live takes a process to ask: most apps have nothing to do with it.
    kept = target.kept(other.folder / "releases")
    if not any(wanted.intersection(one.app.policy.domains) for one in kept):
        return []
    try:
        live = History(other.repository).desired().live
    except GearError:
        return []  # its history is damaged; what it claims is for its own next command to say
    release = target.read(other.folder / "releases", live)
    return release.app.policy.domains if release else []
