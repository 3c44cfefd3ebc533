"""PostgreSQL in a container: its data, its configuration, its roles."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from geartrain import durable
from geartrain.app.credentials import DatabaseLogins, Login
from geartrain.app.model import App, MountKind, Service
from geartrain.engine.docker import unsettled
from geartrain.engine.docker.client import docker
from geartrain.engine.docker.host import DockerHome
from geartrain.engine.docker.imagery import Image
from geartrain.errors import GearError
from geartrain.render import compose
from geartrain.render import postgres as render
from geartrain.render.datastore import INIT_TARGET, Place
from geartrain.run import CommandError, Completed

PGDATA = "/var/lib/postgresql/data"
INSIDE = "/run/geartrain"  # where our own files are in the container
SECRET = f"{INSIDE}/superuser"
SCRIPTS = f"{INSIDE}/initdb.d"
# Set before the author's own, which win.
SETTINGS = ("password_encryption=scram-sha-256", "log_lock_waits=on", "wal_compression=on")
SHM = "256m"  # parallel queries share memory; Docker's default is 64 MB
# Any PostgreSQL below the mount, or where newer and older images would look for it.
FIND = 'for f in "$1/PG_VERSION" "$1"/*/PG_VERSION "$1"/*/*/PG_VERSION; do \
[ -f "$f" ] && echo "${f#"$1"/} $(head -n 1 "$f")"; done; true'


def data_folder(service: Service, image: Image) -> str:
    """Where the image keeps its data, unless the author says otherwise."""
    return service.environment.get("PGDATA") or image.environment.get("PGDATA") or PGDATA


def major(image: Image) -> str:
    """The major version that an image runs, or ""."""
    found = image.environment.get("PG_MAJOR") or image.environment.get("PG_VERSION", "")
    return found.partition(".")[0].partition("-")[0]


def refuse_other_version(
    service: Service, image: Image, name: str, place: Place, volumes: list[str]
) -> bool:
    """Look at the data before anything runs on it.

    Args:
        service: the database service.
        image, name: what would run, by its facts and its name.
        place: where it looks for its data.
        volumes: `docker run` options that mount the data at `place.target`.

    Returns:
        True when there is none yet.

    Raises:
        GearError: another version's data is there, or at another place.
    """
    done = docker(
        "run", "--rm", "--network=none", "--entrypoint=/bin/sh", "--user=0", *volumes,
        "--", name, "-c", FIND, "sh", place.target,
    )  # fmt: skip
    found = dict(line.rsplit(" ", 1) for line in done.out.splitlines() if " " in line)
    if not found:
        return True
    wanted = str(PurePosixPath(place.below) / "PG_VERSION")
    at, version = next(((p, v) for p, v in found.items() if p == wanted), next(iter(found.items())))
    if at == wanted and version.partition(".")[0] in (major(image), ""):
        return False
    what = f"its data is of PostgreSQL {version}, but {service.image} would run it"
    if at != wanted:
        what = (
            f"PostgreSQL {version} has its data in {place.target}/{at.removesuffix('/PG_VERSION')},"
            f" and {service.image} would start an empty database beside it"
        )
    tag = service.image.rpartition("/")[2].partition(":")[0]
    raise GearError(
        what,
        where=f"services.{service.name}.image",
        remedy=f"say `image: {tag}:{version}` again; to move on, dump it (`gear db shell` and"
        " `pg_dumpall`) and load the dump into a new volume. Nothing was changed",
    )


def definition(
    home: DockerHome,
    service: Service,
    logins: DatabaseLogins,
    binds: Mapping[str, str],
) -> dict[str, Any]:
    """What its container has besides what every data service has.

    Args:
        home: the app's home.
        service: the database service.
        logins: its logins.
        binds: init scripts: their folder or file here, by the path that the author gave them.
    """
    folder = home.data / service.name
    folder.mkdir(mode=0o700, exist_ok=True)
    # Read as root or as the image's own user; nobody else here may enter the folder.
    durable.write(folder / "superuser", logins.superuser.password + "\n", 0o444)
    own = {k: v for k, v in service.environment.items() if not k.startswith("POSTGRES_")}
    initdb = service.environment.get("POSTGRES_INITDB_ARGS", "")
    mounts = [compose.Bind(source=str(folder / "superuser"), target=SECRET, read_only=True)]
    mounts += [
        compose.Bind(source=here, target=SCRIPTS + target.removeprefix(INIT_TARGET), read_only=True)
        for target, here in sorted(binds.items())
    ]
    settings = [word for setting in SETTINGS for word in ("-c", setting)]
    return {
        "environment": {
            **own,
            "POSTGRES_USER": logins.superuser.user,
            "POSTGRES_PASSWORD_FILE": SECRET,
            "POSTGRES_DB": logins.database,
            "POSTGRES_INITDB_ARGS": f"{initdb} --data-checksums".strip(),
            "POSTGRES_HOST_AUTH_METHOD": "scram-sha-256",
        },
        "command": _command(service, settings),
        "volumes": [compose.bind(one) for one in mounts],
        "tmpfs": ["/tmp", "/var/run/postgresql"],  # noqa: S108 - the container's own
        "shm_size": service.rest.get("shm_size", SHM),
        "stop_grace_period": f"{max(service.stop_grace, 30.0):g}s",
    }


def _command(service: Service, settings: list[str]) -> list[str] | None:
    """The author's command with our settings before his; one that we cannot read is his alone."""
    own = list(service.command or ())
    if not own:
        return ["postgres", *settings]
    if own[0] == "postgres":
        return ["postgres", *settings, *own[1:]]
    return ["postgres", *settings, *own] if own[0].startswith("-") else own


def settle(
    home: DockerHome,
    container: str,
    app: App,
    service: Service,
    logins: DatabaseLogins,
    *,
    new: bool,
) -> None:
    """Bring roles and database to their definition, and run the init scripts of a new one.

    Args:
        home: the app's home.
        container: its container, which runs.
        app: the app.
        service: the database service.
        logins: its logins.
        new: its first contents were never finished; what a crash left of them is dropped.

    Raises:
        CommandError: an SQL statement or a script failed.
    """
    _own_superuser(container, service, logins)
    scripts = [m for m in service.mounts
               if m.kind is MountKind.BIND and m.target.startswith(INIT_TARGET)]  # fmt: skip
    if new and scripts and unsettled.fill(home, service.name):
        anew = render.anew_sql(logins)
        _psql(container, logins.superuser, "template1", stdin=anew, check=True)
    creates = not any(one.gear.release for one in app.services.values())
    _psql(container, logins.superuser, "postgres",
          stdin=render.roles_sql(logins, app_creates=creates), check=True)  # fmt: skip
    if new and scripts:
        try:
            _run_scripts(container, logins)
        except GearError:
            unsettled.refused(home, service.name)
            raise


def _own_superuser(container: str, service: Service, logins: DatabaseLogins) -> None:
    """Make Geartrain's superuser in a database that somebody else set up."""
    if _psql(container, logins.superuser, "postgres", stdin="SELECT 1;\n").code == 0:
        return
    declared = service.environment.get("POSTGRES_USER") or "postgres"
    who = render.identifier(logins.superuser.user)
    password = render.literal(logins.superuser.password)
    made = f"CREATE ROLE {who} SUPERUSER LOGIN PASSWORD {password};\n"
    done = _psql(container, Login(declared, logins.owner.password), "postgres", stdin=made)
    if done.code:
        raise CommandError(
            done,
            f"{service.name} has data of its own, and nobody can log in to make Geartrain's roles",
            remedy=f"as a superuser of that database: CREATE ROLE {who} SUPERUSER LOGIN;",
        )


def _psql(
    container: str, login: Login, database: str, *, stdin: str, check: bool = False
) -> Completed:
    """psql in the container, over its own socket; passwords go by its environment."""
    return docker(
        "exec", "--interactive", "--env=PGPASSWORD", "--", container,
        "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", login.user, "-d", database,
        stdin=stdin, env={"PGPASSWORD": login.password}, check=check,
    )  # fmt: skip


# As the official image does it, but as the owner, so that what they make is the owner's.
_RUN = """\
set -e
cd "$1"
for f in *; do
  case "$f" in
    *.sh) sh "./$f" ;;
    *.sql) psql -Xq -v ON_ERROR_STOP=1 -f "$f" ;;
    *.sql.gz) gunzip -c "$f" | psql -Xq -v ON_ERROR_STOP=1 ;;
    *.sql.xz) xzcat "$f" | psql -Xq -v ON_ERROR_STOP=1 ;;
  esac
done
"""


def _run_scripts(container: str, logins: DatabaseLogins) -> None:
    env = {
        "PGUSER": logins.owner.user,
        "PGPASSWORD": logins.owner.password,
        "PGDATABASE": logins.database,
        "POSTGRES_USER": logins.owner.user,
        "POSTGRES_PASSWORD": logins.owner.password,
        "POSTGRES_DB": logins.database,
    }
    words = [f"--env={name}" for name in env]
    docker("exec", *words, "--", container, "/bin/sh", "-c", _RUN, "sh", SCRIPTS,
           env={**os.environ, **env}, timeout=600.0)  # fmt: skip
