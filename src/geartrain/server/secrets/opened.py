"""The secrets of a release, opened with the host's key when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from geartrain.app.sealed import FILE
from geartrain.errors import InvalidError
from geartrain.server.secrets import box, host_key


def opened(state: Path, checkout: Path) -> dict[str, str]:
    """The values in a checkout's file; none where there is no file.

    Args:
        state: the host's folder.
        checkout: the release's files.

    Raises:
        GearError: they cannot be opened here.
    """
    found = box.read(checkout)
    if found is None or not found.secrets:
        return {}
    from geartrain.server.secrets import age

    try:
        return box.values(found, age.identities(host_key.path(state)))
    except age.OtherKeysError as error:
        raise InvalidError(
            f"this host cannot read all secrets; {error.what}",
            where=FILE,
            remedy="in the clone, and then commit:"
            f" gear secrets rotate --add host={host_key.public(state)}",
        ) from error


class Late(Mapping[str, str]):
    """Variables that are found out at the first look.

    Most commands never look: `gear ps` needs no key.
    """

    def __init__(self, find: Callable[[], Mapping[str, str]]) -> None:
        self._find = find
        self._found: Mapping[str, str] | None = None

    def _all(self) -> Mapping[str, str]:
        if self._found is None:
            self._found = self._find()
        return self._found

    def __getitem__(self, key: str) -> str:
        return self._all()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())
