"""`redis` and `valkey`: the distribution's server, with the official image's user and paths."""

from __future__ import annotations

from geartrain.engine.docker.images.recipe import Recipe, script
from geartrain.engine.docker.images.reference import Reference
from geartrain.engine.docker.images.suites import REDIS, VALKEY, Suite, Version, candidates, exact

ENTRYPOINT = "docker-entrypoint.sh"


def recipes(reference: Reference) -> tuple[Recipe, ...]:
    """The ways to make a Redis or Valkey image, best first."""
    valkey = reference.path.endswith("valkey")
    carried = VALKEY if valkey else REDIS
    name = "valkey" if valkey else "redis"
    return tuple(
        _recipe(reference, name, version, suite)
        for version, suite in candidates(carried, reference.version)
    )


def _recipe(reference: Reference, name: str, version: Version, suite: Suite) -> Recipe:
    title = name.capitalize()
    notice = ""
    if not exact(version, reference.version):
        asked = ".".join(map(str, reference.version))
        notice = f"{title} {version[0]} of {suite.title} runs in place of {asked}"
    return Recipe(
        family=name,
        tag=reference.tag,
        suite=suite,
        gives=f"{title} {version[0]}",
        dockerfile=_dockerfile(name),
        files={ENTRYPOINT: script(f"redis/{ENTRYPOINT}")},
        notice=notice,
    )


def _dockerfile(name: str) -> str:
    return f"""\
ARG BASE
FROM $BASE
ARG DEBIAN_FRONTEND=noninteractive
RUN groupadd --system --gid 999 {name} \\
 && useradd --system --gid {name} --uid 999 --home-dir /data --shell /usr/sbin/nologin {name} \\
 && apt-get update \\
 && apt-get install -y --no-install-recommends {name}-server {name}-tools gosu tzdata \\
 && rm -rf /var/lib/apt/lists/* /etc/{name} \\
 && install -d -o {name} -g {name} /data
COPY {ENTRYPOINT} /usr/local/bin/{ENTRYPOINT}
VOLUME /data
WORKDIR /data
EXPOSE 6379
ENTRYPOINT ["{ENTRYPOINT}"]
CMD ["{name}-server"]
"""
