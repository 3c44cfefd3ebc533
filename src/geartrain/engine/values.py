"""What variables and secrets are worth for a release, found out when they are first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

from geartrain.app import stand_in
from geartrain.app.release import Release


class Late(Mapping[str, str]):
    """Variables that are found out at the first look.

    Most commands never look: `gear ps` needs no key.
    """

    def __init__(self, find: Callable[[], Mapping[str, str]]) -> None:
        self._find = find
        self._found: Mapping[str, str] | None = None
        self._turn = threading.Lock()

    def _all(self) -> Mapping[str, str]:
        with self._turn:
            if self._found is None:
                self._found = self._find()
            return self._found

    def __getitem__(self, key: str) -> str:
        return self._all()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class Values:
    """The variables of whoever acts, and the secrets of each release.

    Args:
        environ: the machine's variables, and the app's own.
        secrets: the secrets of a release, if it has any; each is asked for once.
        over: what was set on the host, and goes before secrets.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        secrets: Callable[[Release], Mapping[str, str]] = lambda _: {},
        over: Mapping[str, str] | None = None,
    ) -> None:
        self.environ = environ
        self._secrets = secrets
        self._over = over or {}
        self._known: dict[int, Late] = {}

    def of(self, release: Release) -> Mapping[str, str]:
        """The secrets of a release."""
        known = self._known.get(release.number)
        if known is None:
            known = self._known[release.number] = Late(lambda: self._secrets(release))
        return known

    def around(self, release: Release) -> Mapping[str, str]:
        """Where texts of a release come from that it takes from variables."""
        return Late(lambda: {**self.environ, **self.of(release), **self._over})

    def filled(self, release: Release) -> Release:
        """A release with its secrets in it, for memory alone."""
        return stand_in.fill(release, self.of(release))
