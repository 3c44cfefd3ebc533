"""A host: one folder of state that runs apps.

STATE/
  host.json       which engine runs its apps
  secrets.key     what secrets of its apps are encrypted to, the newest key first (0600)
  secrets.salt    what marks of secrets are made with (0600)
  runtime         where secrets lie in memory, if somebody has said it (see `engine.memory`)
  envs/           Python environments that apps share (embedded engine)
  edge/tls/       certificates (see `engine.certificates`)
  apps/NAME/      one app: its repository, releases, data, logs (see `server.app`)
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

from geartrain import durable
from geartrain.engine.certificates import Store
from geartrain.errors import Exit, GearError
from geartrain.server.secrets import host_key

SYSTEM = Path("/var/lib/geartrain")
VARIABLE = "GEAR_HOST"
FILE = "host.json"


class EngineKind(StrEnum):
    """What runs a host's instances."""

    DOCKER = "docker"
    EMBEDDED = "embedded"


class HostFacts(Struct, frozen=True, kw_only=True):
    """What was decided when the host was made."""

    engine: EngineKind


class ServerHost:
    """A host that was made by `gear host init`.

    Root acts as the host's owner from here on: a file of root's in it would stop its owner.

    Args:
        folder: its folder of state.

    Raises:
        GearError: there is no host in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.apps = folder / "apps"
        self.certificates = Store(folder / "edge" / "tls")
        try:
            self.facts = msgspec.json.decode((folder / FILE).read_bytes(), type=HostFacts)
        except FileNotFoundError as error:
            raise GearError(
                "there is no host here",
                where=str(folder),
                remedy="`gear host init` makes one; --host-dir or GEAR_HOST names another folder",
                code=Exit.MISSING,
            ) from error
        except PermissionError as error:
            raise GearError(
                "this user may not read the host's folder",
                where=str(folder),
                remedy="act as the user who made it",
                code=Exit.MISSING,
            ) from error
        except msgspec.DecodeError as error:
            raise GearError(f"{FILE} cannot be read: {error}", where=str(folder)) from error
        if os.geteuid() == 0 and (owner := folder.stat().st_uid) != 0:
            become(owner)

    def names(self) -> tuple[str, ...]:
        """The host's apps, sorted."""
        found = (path for path in self.apps.iterdir() if (path / "app.json").exists())
        return tuple(sorted(path.name for path in found))


def place(given: Path | None, environ: Mapping[str, str]) -> Path:
    """Where the host's folder of state is.

    Args:
        given: what the command line says.
        environ: the environment: `GEAR_HOST`, `XDG_STATE_HOME`, `HOME`.
    """
    if given is not None:
        return given.absolute()
    if named := environ.get(VARIABLE):
        return Path(named).absolute()
    if os.geteuid() == 0 or _is_mine(SYSTEM):
        return SYSTEM
    # XDG Base Directory Specification: a relative path there is to be ignored.
    state = Path(environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():
        state = Path(environ.get("HOME") or Path.home()) / ".local" / "state"
    return state / "geartrain"


def create(folder: Path, engine: EngineKind) -> bool:
    """Make a host, or leave the one that is there.

    Returns:
        True when it is new.

    Raises:
        GearError: it is there, with another engine.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    (folder / "apps").mkdir(mode=0o755, exist_ok=True)
    host_key.ensure(folder)
    if (folder / FILE).exists():
        known = ServerHost(folder).facts.engine
        if known is not engine:
            raise GearError(
                f"this host runs its apps with the {known} engine",
                where=str(folder),
                remedy=f"make another host for {engine} with --host-dir",
            )
        return False
    facts = HostFacts(engine=engine)
    durable.write(folder / FILE, msgspec.json.format(msgspec.json.encode(facts)))
    return True


def become(owner: int) -> None:
    """Go on as another user, with their groups and home. For root.

    Args:
        owner: the user's number.

    Raises:
        GearError: that user could not run this Geartrain.
    """
    try:
        user = pwd.getpwuid(owner)
    except KeyError:
        return  # a number without a user, as in somebody's container
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.environ.update(HOME=user.pw_dir, USER=user.pw_name, LOGNAME=user.pw_name)
    if not os.access(sys.executable, os.X_OK) or not os.access(__file__, os.R_OK):
        raise GearError(
            f"the host is the user {user.pw_name}'s, who may not run this Geartrain",
            where=str(Path(__file__).parents[1]),
            remedy="use the one that `gear server prepare` installed: /usr/local/bin/gear",
            code=Exit.MISSING,
        )


def _is_mine(folder: Path) -> bool:
    try:
        return (folder / FILE).stat().st_uid == os.geteuid()
    except OSError:
        return False
