"""One app of a host: where everything of it is, and what was decided for it.

STATE/apps/NAME/
  app.json          the branch that releases, and the limits of a push
  variables.json    the app's variables (0600)
  repo.git/         what is pushed; refs/gear/* is the history
  incoming/         checkouts of commits that are being looked at
  releases/N/       one release: src/ (its own checkout), release.json (no secrets, but their names)
  files/            relative bind mounts that are not in Git, such as ./data
  data/ logs/ run/  as in a private host
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from geartrain import durable
from geartrain.app.credentials import Logins
from geartrain.app.finding import nearest
from geartrain.app.release import Release
from geartrain.engine import logins
from geartrain.engine.home import Home
from geartrain.engine.memory import Memory
from geartrain.engine.protocol import Engine
from geartrain.engine.values import Values
from geartrain.errors import GearError, InvalidError
from geartrain.release import snapshot
from geartrain.release.events import Event
from geartrain.release.ledger import DiskLedger
from geartrain.server import engines
from geartrain.server.host import ServerHost
from geartrain.server.secrets.opened import opened

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}")
MEGABYTE = 2**20
# What outlives an app, unless somebody asks to delete its data.
KEPT = ("data", "files", "credentials.json", "variables.json", "host.json")
DESTROYED = "destroyed"  # a file beside what is to be deleted
# What instances and builds need of the machine is decided by each engine; never Git's own state.
_LEFT_OUT = ("GIT_", "GEAR_", "SSH_")


class AppFacts(Struct, frozen=True, kw_only=True):
    """What was decided for an app. Sizes in MB."""

    branch: str = "main"
    most_megabytes: int = 500
    most_files: int = 100_000


class ServerApp:
    """An app that was made by `gear app create`.

    Args:
        host: its host.
        name: its name.

    Raises:
        InvalidError: that is no name.
        GearError: the host has no such app.
    """

    def __init__(self, host: ServerHost, name: str) -> None:
        check_name(name)
        self.host = host
        self.name = name
        self.folder = host.apps / name
        self.repository = self.folder / "repo.git"
        self.incoming = self.folder / "incoming"
        self.untracked = self.folder / "files"
        try:
            text = (self.folder / "app.json").read_bytes()
        except FileNotFoundError:
            raise _no_app(host, name) from None
        self.facts = msgspec.json.decode(text, type=AppFacts)

    def exists(self) -> bool:
        """False once it was destroyed."""
        return (self.folder / "app.json").exists()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Be the only one who watches its releases; waits for the one before."""
        fd = os.open(self.folder / "monitor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    @property
    def ref(self) -> str:
        """The ref that releases."""
        return f"refs/heads/{self.facts.branch}"

    def home(self, project: Path | None = None) -> Home:
        """Its home; `project` is the checkout that is worked on."""
        return engines.home_of(
            self.host.facts.engine,
            self.name,
            project or self.folder,
            self.folder,
            self.untracked,
            self.host.folder,
        )

    def engine(self, home: Home) -> Engine:
        """The engine that runs it."""
        return engines.engine_of(self.host.facts.engine, home, self.values(home))

    def warm_up(self) -> None:
        """Do ahead what a release needs later, while Git and Compose are waited for."""
        engines.warm_up(self.host.facts.engine)

    def ledger(self, home: Home) -> DiskLedger:
        """Its history and releases; what is written down is told to the journal too.

        Raises:
            GearError: it was destroyed meanwhile.
        """
        if not self.exists():
            raise _no_app(self.host, self.name)
        return DiskLedger(home, self._told)

    def _told(self, event: Event) -> None:
        from geartrain.server import journal

        journal.event(self.name, event)

    def variables(self) -> dict[str, str]:
        """What its Compose file may use as `${NAME}`, and secrets from the environment."""
        try:
            text = (self.folder / "variables.json").read_bytes()
        except FileNotFoundError:
            return {}
        return msgspec.json.decode(text, type=dict[str, str])

    def change_variables(
        self, given: Mapping[str, str], gone: Collection[str] = ()
    ) -> dict[str, str]:
        """Set some variables and forget others; returns all. They are its owner's alone to read.

        Of two who change some at once, neither takes back what the other did.
        """
        with durable.alone(self.folder / "variables.lock"):
            known = {k: v for k, v in {**self.variables(), **given}.items() if k not in gone}
            text = msgspec.json.format(msgspec.json.encode(known))
            durable.write(self.folder / "variables.json", text, 0o600)
        return known

    def values(self, home: Home) -> Values:
        """The machine's variables for an engine, the app's own, and the secrets of its releases.

        Args:
            home: its home; a release that is not kept yet is the checkout that is worked on.
        """
        machine = {k: v for k, v in os.environ.items() if not k.startswith(_LEFT_OUT)}
        own = self.variables()

        def secrets(release: Release) -> Mapping[str, str]:
            kept = home.releases / str(release.number)
            if not (kept / "release.json").exists():
                return opened(self.host.folder, home.project).values
            snapshot.check_out(self.repository, release.commit, kept / "src")
            return opened(self.host.folder, kept, kept / "src").values

        return Values({**machine, **own}, secrets, own)

    def logins(self, home: Home, release: Release) -> Logins:
        """The logins of a kept release's data services, secrets among them."""
        home.project = home.releases / str(release.number) / "src"
        values = self.values(home)
        return logins.ensure(
            values.filled(release).app,
            home.credentials,
            home.project,
            values.around(release),
            values.of(release),
        )

    def meanings(self, secrets: Mapping[str, str]) -> dict[str, str]:
        """What variables of the Compose file mean: the app's own, never the machine's.

        Args:
            secrets: those of the commit. What was set on the host goes before them.
        """
        needed = {k: os.environ[k] for k in ("PATH", "HOME") if k in os.environ}
        return {**needed, **secrets, **self.variables()}


def check_name(name: str) -> None:
    """Refuse what is no app name: it becomes a folder, a host name and part of others' options.

    Raises:
        InvalidError: it is none.
    """
    if not NAME.fullmatch(name):
        raise InvalidError(
            f"{name!r} is not an app name",
            remedy="use lower-case letters, digits and '-', starting with a letter, at most 40",
        )


def check_branch(branch: str) -> None:
    """Refuse what is no branch name, or reads as an option (git-check-ref-format(1)).

    Raises:
        InvalidError: it is none.
    """
    bad = (".." in branch, "//" in branch, branch.endswith(("/", ".", ".lock")), "/." in branch)
    if not BRANCH.fullmatch(branch) or any(bad):
        raise InvalidError(f"{branch!r} is not a branch name", remedy="main, say")


def create(host: ServerHost, name: str, facts: AppFacts) -> ServerApp:
    """Make an app: its folder and its repository. Repeating changes nothing but the limits.

    Raises:
        InvalidError: the name or the branch cannot be used.
    """
    from geartrain.server import repository

    check_name(name)
    check_branch(facts.branch)
    folder = host.apps / name
    with _alone(host):
        if (folder / DESTROYED).exists() and not (folder / "app.json").exists():
            _clear(host, name, KEPT)  # whoever destroyed one of that name was killed
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        place, size = folder / "repo.git", facts.most_megabytes
        repository.create(place, facts.branch, size, host.folder, name)
        durable.write(folder / "app.json", msgspec.json.format(msgspec.json.encode(facts)))
        app = ServerApp(host, name)
        app.untracked.mkdir(mode=0o755, exist_ok=True)
        app.home()
    return app


def forget(app: ServerApp) -> None:
    """Have nobody take a stopped app for one any more. The caller holds its lock."""
    durable.write(app.folder / DESTROYED, "")
    (app.folder / "app.json").unlink(missing_ok=True)
    durable.sync_folder(app.folder)


def delete(app: ServerApp, *, data: bool) -> None:
    """Delete what a forgotten app has left; its data and the passwords to it only when asked to."""
    with _alone(app.host):
        if app.exists():  # somebody has made one of that name meanwhile
            return
        if data:
            shutil.rmtree((app.folder / "data").resolve(), ignore_errors=True)
        _clear(app.host, app.name, () if data else KEPT)


def _alone(host: ServerHost) -> AbstractContextManager[None]:
    """Be the only one who makes or deletes apps of a host."""
    return durable.alone(host.folder / "apps.lock")


def _clear(host: ServerHost, name: str, kept: Collection[str]) -> None:
    """Delete the folder of an app that is none any more, but for what is kept.

    Everything goes in one step each, so that no part of a repository is taken for one later.
    """
    Memory(host.folder, name).forget()
    for left in host.apps.glob(f".{name}.gone.*"):
        shutil.rmtree(left, ignore_errors=True)  # a killed command did not come to it
    folder = host.apps / name
    if not folder.exists():
        return
    gone = Path(tempfile.mkdtemp(dir=host.apps, prefix=f".{name}.gone."))
    parts = [one for one in folder.iterdir() if one.name not in kept] if kept else [folder]
    for path in sorted(parts, key=lambda one: one.name == DESTROYED):  # that one last
        path.rename(gone / path.name)
    durable.sync_folder(host.apps)
    shutil.rmtree(gone)


def _no_app(host: ServerHost, name: str) -> GearError:
    guess = nearest(name, host.names())
    said = f"; did you mean {guess!r}?" if guess else ""
    return GearError(
        f"there is no app {name!r} on this host{said}",
        where=str(host.folder),
        remedy=f"`gear app create {name}` makes it; `gear app list` shows what there is",
    )
