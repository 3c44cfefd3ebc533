"""The secrets of a commit or a release, opened with the host's keys."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geartrain.app.sealed import FILE, Sealed
from geartrain.errors import InvalidError
from geartrain.server.secrets import box, host_key


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Values by name. `old` are the names that only a key from before opens."""

    values: Mapping[str, str]
    old: tuple[str, ...] = ()


def opened(state: Path, *places: Path) -> Opened:
    """The values in a file of secrets; none where there is no file.

    Args:
        state: the host's folder.
        places: folders that it may be in; the first that has one counts.

    Raises:
        GearError: they cannot be opened here.
    """
    found = next(filter(None, (box.read(place) for place in places)), None)
    if found is None or not found.secrets:
        return Opened(values={})
    from geartrain.server.secrets import age

    keys = age.identities(host_key.path(state))
    try:
        values = box.values(found, keys)
    except age.OtherKeysError as error:
        raise _for_others(state, found, error.what) from error
    return Opened(values=values, old=box.closed_to(found, keys[:1]) if len(keys) > 1 else ())


def keep(release: Path, checkout: Path) -> None:
    """Have a kept release opened by the file of another commit that runs the same.

    It may be encrypted to newer keys than the release's own commit.

    Args:
        release: the release's folder, with its checkout in `src/`.
        checkout: the other commit's files.
    """
    if not (release / "src").exists():
        return  # it is about to have this very checkout
    known = box.read(release) or box.read(release / "src")
    now = box.read(checkout)
    if now is not None and now != known:
        box.write(release, now)


def marks(state: Path, values: Mapping[str, str]) -> dict[str, str]:
    """What differs when a value does, and tells nothing of it to whoever has not this host's salt.

    Args:
        state: the host's folder.
        values: variables that have a value.
    """
    salt = host_key.salt(state) if values else b""
    return {
        name: hmac.new(salt, f"{name}={value}".encode(), hashlib.sha256).hexdigest()[:16]
        for name, value in values.items()
    }


def _for_others(state: Path, found: Sealed, what: str) -> InvalidError:
    """What to say when none of this host's keys opens it."""
    own = host_key.public(state)
    hosts = [f"{label}={key}" for label, key in sorted(found.recipients.items())
             if key.startswith("age1")]  # fmt: skip
    said = f" (this host's key is {own}; they are for {', '.join(hosts)})" if hosts else ""
    return InvalidError(
        f"this host cannot read all secrets; {what}{said}",
        where=FILE,
        remedy=f"in the clone, and then commit: gear secrets rotate --add host={own}",
    )
