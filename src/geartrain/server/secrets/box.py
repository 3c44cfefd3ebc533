"""The whole file of secrets: opened with keys, closed for recipients."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from msgspec.structs import replace

from geartrain import durable
from geartrain.app import sealed
from geartrain.app.sealed import FILE, MAX_FILE, Sealed
from geartrain.errors import InvalidError, Problem
from geartrain.server.secrets import age


def read(folder: Path) -> Sealed | None:
    """The file of a checkout; None where there is none.

    Raises:
        InvalidError: it is broken.
    """
    path = folder / FILE
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidError(f"it cannot be read: {error.strerror}", where=FILE) from error
    try:
        with os.fdopen(fd, "rb") as file:
            raw = file.read(MAX_FILE + 1)
        text = raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError("it is no text file", where=FILE) from error
    if len(raw) > MAX_FILE:
        raise InvalidError(f"it is larger than {MAX_FILE // 2**20} MB", where=FILE)
    return sealed.parse(text)


def write(folder: Path, box: Sealed) -> None:
    """Replace the file, and leave the old one where that fails."""
    durable.write(folder / FILE, sealed.render(box))


def values(box: Sealed, by: Collection[age.Identity]) -> dict[str, str]:
    """Every value.

    Raises:
        OtherKeysError: some are encrypted to other keys; with all of their names.
        InvalidError: some are broken; with all of their names.
    """
    found: dict[str, str] = {}
    others: list[str] = []
    broken: list[Problem] = []
    for name, text in box.secrets.items():
        try:
            found[name] = age.unseal(name, text, by)
            sealed.check_value(name, found[name])
        except age.OtherKeysError:
            others.append(name)
        except InvalidError as error:
            broken.append(Problem(what=error.what, remedy=error.remedy))
    if broken:
        raise InvalidError(f"{len(broken)} secrets are broken", where=FILE, problems=broken)
    if others:
        what = f"encrypted to other keys: {', '.join(others)}"
        raise age.OtherKeysError(what, where=FILE)
    return found


def closed_to(box: Sealed, by: Collection[age.Identity]) -> tuple[str, ...]:
    """The names whose values some keys do not open."""
    found = []
    for name, text in box.secrets.items():
        try:
            age.unseal(name, text, by)
        except InvalidError:
            found.append(name)
    return tuple(found)


def put(box: Sealed, changed: Mapping[str, str]) -> Sealed:
    """The file with these values; the lines of others stay as they are.

    Raises:
        InvalidError: a name, a value or a recipient cannot be used.
    """
    if not changed:
        return box
    for name, value in changed.items():
        sealed.check_name(name)
        sealed.check_value(name, value)
    if not box.recipients:
        raise InvalidError(
            "there is nobody to encrypt to",
            where=FILE,
            remedy="gear secrets rotate --add alice=~/.ssh/id_ed25519.pub",
        )
    to = [age.recipient(key, f"{FILE} {label}") for label, key in box.recipients.items()]
    fresh = {name: age.seal(name, value, to) for name, value in changed.items()}
    return replace(box, secrets={**box.secrets, **fresh})
