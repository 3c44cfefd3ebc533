"""Releases of Debian and Ubuntu, and which one has the asked-for version of a program.

Between them they carry every version in use, kept up by their security teams. Versions are
those of packages.debian.org and packages.ubuntu.com.
"""

from __future__ import annotations

from dataclasses import dataclass

Version = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """One release of a distribution. `title` is for people."""

    name: str
    title: str
    ubuntu: bool = False
    testing: bool = False  # not released: the last one that is chosen
    include: tuple[str, ...] = ()  # packages that its bare system gets besides

    @property
    def components(self) -> str:
        """The parts of the archive that are free software."""
        return "main,universe" if self.ubuntu else "main"

    @property
    def pockets(self) -> tuple[str, ...]:
        """The suites that bring corrections, besides the one of the security team."""
        return () if self.testing else (f"{self.name}-updates",)


BULLSEYE = Suite(name="bullseye", title="Debian 11")
# Without it, `usrmerge` is taken, and Perl with it: 50 MB.
BOOKWORM = Suite(name="bookworm", title="Debian 12", include=("usr-is-merged",))
TRIXIE = Suite(name="trixie", title="Debian 13")
FORKY = Suite(name="forky", title="Debian testing", testing=True)
JAMMY = Suite(name="jammy", title="Ubuntu 22.04", ubuntu=True)
NOBLE = Suite(name="noble", title="Ubuntu 24.04", ubuntu=True)
RESOLUTE = Suite(name="resolute", title="Ubuntu 26.04", ubuntu=True)

SUITES = {s.name: s for s in (BULLSEYE, BOOKWORM, TRIXIE, FORKY, JAMMY, NOBLE, RESOLUTE)}
UBUNTU_NUMBERS: dict[Version, Suite] = {(22, 4): JAMMY, (24, 4): NOBLE, (26, 4): RESOLUTE}
DEBIAN_NUMBERS = {11: BULLSEYE, 12: BOOKWORM, 13: TRIXIE}

Carried = tuple[tuple[Version, Suite], ...]

PYTHON: Carried = (
    ((3, 9), BULLSEYE),
    ((3, 10), JAMMY),
    ((3, 11), BOOKWORM),
    ((3, 12), NOBLE),
    ((3, 13), TRIXIE),
    ((3, 14), RESOLUTE),
    ((3, 14), FORKY),
)
POSTGRES: Carried = (
    ((13,), BULLSEYE),
    ((14,), JAMMY),
    ((15,), BOOKWORM),
    ((16,), NOBLE),
    ((17,), TRIXIE),
    ((18,), RESOLUTE),
    ((18,), FORKY),
)
REDIS: Carried = (
    ((6,), BULLSEYE),
    ((6,), JAMMY),
    ((7,), BOOKWORM),
    ((7,), NOBLE),
    ((8,), TRIXIE),
    ((8,), RESOLUTE),
)
NODE: Carried = tuple(((version,), BOOKWORM) for version in (20, 22, 24))  # from wheels
VALKEY: Carried = (
    ((8,), TRIXIE),
    ((9,), RESOLUTE),
    ((9,), FORKY),
)


def candidates(carried: Carried, asked: Version) -> tuple[tuple[Version, Suite], ...]:
    """What can stand in for a version, best first.

    The version itself, then the nearest newer ones, then older ones. Without a version, the
    newest that is released.
    """
    if not asked:
        return tuple(sorted(carried, key=lambda c: (c[1].testing, *(-n for n in c[0]))))
    depth = len(carried[0][0])
    wanted = asked[:depth]

    def rank(candidate: tuple[Version, Suite]) -> tuple[object, ...]:
        version, suite = candidate
        if version[: len(wanted)] == wanted:
            # `python:3` is the newest 3
            return (0, suite.testing, tuple(-n for n in version))
        newer = version > wanted
        return (1 if newer else 2, suite.testing, version if newer else tuple(-n for n in version))

    return tuple(sorted(carried, key=rank))


def exact(version: Version, asked: Version) -> bool:
    """Whether a version is what was asked for, as far as it says."""
    shared = min(len(version), len(asked))
    return version[:shared] == asked[:shared]
