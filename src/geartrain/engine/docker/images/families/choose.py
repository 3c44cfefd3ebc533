"""The recipes for an image's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from geartrain.engine.docker.images.families import nginx, node, postgres, python, redis, system
from geartrain.engine.docker.images.recipe import Recipe
from geartrain.engine.docker.images.reference import DOCKER_HUB, Reference

FAMILIES: dict[str, Callable[[Reference], tuple[Recipe, ...]]] = {
    "library/python": python.recipes,
    "library/postgres": postgres.recipes,
    "pgvector/pgvector": postgres.recipes,
    "postgis/postgis": postgres.recipes,
    "library/redis": redis.recipes,
    "valkey/valkey": redis.recipes,
    "library/valkey": redis.recipes,
    "library/nginx": nginx.recipes,
    "library/node": node.recipes,
    "library/debian": system.recipes,
    "library/ubuntu": system.recipes,
}


def recipes(reference: Reference) -> tuple[Recipe, ...]:
    """The ways to make a stand-in for an image, best first; none for what is unknown here.

    An image that is pinned by its digest has none: the digest asks for exactly that one.
    """
    make = FAMILIES.get(reference.path)
    if make is None or reference.registry != DOCKER_HUB or reference.digest:
        return ()
    return tuple(replace(recipe, stands_for=reference.familiar) for recipe in make(reference))
