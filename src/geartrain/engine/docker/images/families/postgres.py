"""`postgres`: the distribution's server, with the official image's user, paths and variables."""

from __future__ import annotations

from geartrain.engine.docker.images.recipe import Recipe, script
from geartrain.engine.docker.images.reference import Reference
from geartrain.engine.docker.images.suites import POSTGRES, Suite, candidates, exact

ENTRYPOINT = "docker-entrypoint.sh"
# Images of others that are the official one with an extension.
EXTENSIONS = {"pgvector": "postgresql-{major}-pgvector", "postgis": "postgresql-{major}-postgis-3"}


def recipes(reference: Reference) -> tuple[Recipe, ...]:
    """The ways to make a PostgreSQL image, best first.

    Another major version cannot read the data of the one that was asked for, so it stands in only
    where no distribution has that one.
    """
    asked = _asked(reference)
    found = candidates(POSTGRES, asked)
    same = [one for one in found if asked and exact(one[0], asked)]
    return tuple(_recipe(reference, asked, version[0], suite) for version, suite in same or found)


def _asked(reference: Reference) -> tuple[int, ...]:
    if not reference.version and reference.tag.startswith("pg"):  # pgvector/pgvector:pg16
        digits = reference.tag.removeprefix("pg").split("-")[0]
        return (int(digits),) if digits.isdecimal() else ()
    return reference.version


def _recipe(reference: Reference, asked: tuple[int, ...], major: int, suite: Suite) -> Recipe:
    extension = EXTENSIONS.get(reference.path.rpartition("/")[2], "")
    notice = ""
    if not exact((major,), asked):
        notice = f"PostgreSQL {major} of {suite.title} runs in place of {asked[0]}"
    return Recipe(
        family=reference.path.rpartition("/")[2],
        tag=reference.tag,
        suite=suite,
        gives=f"PostgreSQL {major}",
        dockerfile=_dockerfile(major, extension.format(major=major)),
        files={ENTRYPOINT: script(f"postgres/{ENTRYPOINT}")},
        notice=notice,
    )


def data_folder(major: int) -> tuple[str, str]:
    """PGDATA, and the volume it lies in: from 18 on the volume is the folder above."""
    if major >= 18:
        return f"/var/lib/postgresql/{major}/docker", "/var/lib/postgresql"
    return "/var/lib/postgresql/data", "/var/lib/postgresql/data"


def _dockerfile(major: int, extension: str) -> str:
    data, volume = data_folder(major)
    packages = f"postgresql-{major} {extension}".strip()
    return f"""\
ARG BASE
FROM $BASE
ARG DEBIAN_FRONTEND=noninteractive
RUN groupadd --system --gid 999 postgres \\
 && useradd --system --gid postgres --uid 999 --home-dir /var/lib/postgresql \\
    --shell /bin/bash postgres \\
 && install -d -m 1777 -o postgres -g postgres /var/lib/postgresql \\
 && install -d /etc/postgresql-common \\
 && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf \\
 && apt-get update \\
 && apt-get install -y --no-install-recommends locales gosu libnss-wrapper xz-utils zstd tzdata \\
 && localedef -i en_US -c -f UTF-8 en_US.UTF-8 \\
 && apt-get install -y --no-install-recommends {packages} \\
 && rm -rf /var/lib/apt/lists/* \\
 && sed -i "s/^#*listen_addresses = .*/listen_addresses = '*'/" \\
    /usr/share/postgresql/{major}/postgresql.conf.sample \\
 && mkdir -p /docker-entrypoint-initdb.d {data} \\
 && chown -R postgres:postgres /var/lib/postgresql && chmod 1777 {data} \\
 && install -d -m 3777 -o postgres -g postgres /var/run/postgresql
COPY {ENTRYPOINT} /usr/local/bin/{ENTRYPOINT}
ENV PATH=$PATH:/usr/lib/postgresql/{major}/bin \\
    LANG=en_US.utf8 PG_MAJOR={major} PGDATA={data}
VOLUME {volume}
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["{ENTRYPOINT}"]
CMD ["postgres"]
"""
