"""`debian` and `ubuntu`: the bare distribution."""

from __future__ import annotations

from geartrain.engine.docker.images.recipe import Recipe
from geartrain.engine.docker.images.reference import Reference
from geartrain.engine.docker.images.suites import (
    DEBIAN_NUMBERS,
    NOBLE,
    SUITES,
    TRIXIE,
    UBUNTU_NUMBERS,
    Suite,
)

_DOCKERFILE = """\
ARG BASE
FROM $BASE
CMD ["bash"]
"""


def recipes(reference: Reference) -> tuple[Recipe, ...]:
    """The distribution itself, when it is one that is known here."""
    suite = _suite(reference)
    if suite is None:
        return ()
    return (
        Recipe(
            family=reference.path.rpartition("/")[2],
            tag=reference.tag,
            suite=suite,
            gives=suite.title,
            dockerfile=_DOCKERFILE,
        ),
    )


def _suite(reference: Reference) -> Suite | None:
    ubuntu = reference.path.endswith("ubuntu")
    for word in reference.words:
        named = SUITES.get(word)
        if named is not None and named.ubuntu == ubuntu:
            return named
        if word not in ("latest", "stable", "slim"):
            return None
    if ubuntu:
        return UBUNTU_NUMBERS.get(reference.version[:2]) if reference.version else NOBLE
    return DEBIAN_NUMBERS.get(reference.version[0]) if reference.version else TRIXIE
