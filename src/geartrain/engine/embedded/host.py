"""A private host: the project's `.gear/` folder, and what is decided once for it.

.gear/
  host.json          its name, its loopback network, its ports
  credentials.json   generated passwords (0600)
  lock               held by whoever changes it
  repo.git/          snapshots of the source, and the history
  releases/N/        one release: src/ (its own checkout), release.json
  envs/              Python environments, by their lock file
  data/              volumes (a link, when data services run as another user)
  edge/              nginx's configuration
  logs/  run/        log files; the supervisor's socket
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from geartrain import durable
from geartrain.engine.embedded.supervisor.client import stopping
from geartrain.engine.home import Home
from geartrain.errors import Exit, GearError

SYSTEM_DATA = Path("/var/lib/geartrain/local")
SYSTEM_BINARIES = Path("/var/lib/geartrain/bin")
GONE = ".deleted"  # among the data: what is being deleted


class Certificate(Struct, frozen=True, kw_only=True):
    """The edge's certificate. `until` is the Unix time, in seconds, from which it is made anew."""

    fingerprint: str
    names: tuple[str, ...]
    until: float


class HostFacts(Struct, frozen=True, kw_only=True):
    """What was decided when the host was made, or since, and must not move."""

    id: str
    network: str  # the first three numbers of its loopback addresses
    data_addresses: dict[str, str] = {}
    ports: dict[str, int] = {}  # published port of the Compose file → port here
    certificate: Certificate | None = None  # what the edge serves with; None: no TLS


class Host(Home):
    """Paths and lasting facts of an app that this engine runs.

    Args:
        project: folder of the Compose file.
        folder: where its state is; default the project's own `.gear/`.
        untracked: as in `Home`.
    """

    def __init__(
        self, project: Path, folder: Path | None = None, untracked: Path | None = None
    ) -> None:
        super().__init__(project, folder or project.resolve() / ".gear", untracked)
        self.edge = self.folder / "edge"
        self.envs = self.folder / "envs"
        self.data = self.folder / "data"
        self._turn = threading.Lock()  # data services are made at once

    def exists(self) -> bool:
        """True when the host was made before."""
        return (self.folder / "host.json").exists()

    @contextmanager
    def lock(self, doing: str, say: object = None, *, wait: bool = True) -> Iterator[None]:
        """As in `Home`. What stops here is waited for, too: whoever asked it to may have gone."""
        with super().lock(doing, say, wait=wait):
            if client := stopping(self.run):
                if not wait:
                    raise GearError(
                        "what ran here still stops", where=str(self.project), code=Exit.BUSY
                    )
                if callable(say):
                    say("waiting until what ran here has stopped")
                client.ended()  # it gives each process its grace period, and no longer
            yield

    def create(self) -> None:
        """Make what is missing of it."""
        folders = (self.run, self.logs, self.edge, self.envs, self.releases)
        if self.exists() and all(folder.exists() for folder in (self.data, *folders)):
            return
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        with durable.alone(self.folder / "create.lock"):  # two may be the first
            self._create(folders)

    def _create(self, folders: Iterable[Path]) -> None:
        durable.write(self.folder / ".gitignore", "*\n")
        for folder in folders:
            folder.mkdir(mode=0o700, exist_ok=True)
        self._create_data()
        if not self.exists():
            key = hashlib.sha256(str(self.folder).encode()).digest()
            network = f"127.{16 + key[0] % 224}.{key[1]}"
            name = "".join(c if c.isalnum() else "-" for c in self.project.name.lower())
            self._save(HostFacts(id=f"{name[:24]}-{key.hex()[:6]}", network=network))

    def _create_data(self) -> None:
        if self.data.exists():
            return
        user = data_user()
        if user is None or reachable(self.folder, user):
            self.data.mkdir(exist_ok=True)
            return
        self.data.unlink(missing_ok=True)  # a link to what is gone
        # Another user runs the data services and cannot enter this folder (/root, say).
        key = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        place = SYSTEM_DATA / f"{self.project.name[:24]}-{key}"
        number = 1
        # What is there is of a home that was deleted here, and its passwords with it.
        while place.exists() and any(place.iterdir()):
            number += 1
            place = SYSTEM_DATA / f"{self.project.name[:24]}-{key}-{number}"
        place.mkdir(parents=True, exist_ok=True)
        self.data.symlink_to(place)

    def erase(self) -> None:
        """Delete the data; whoever is killed meanwhile leaves no part of a database to be run."""
        real = self.data.resolve()
        gone = real / GONE
        if gone.exists():
            shutil.rmtree(gone)  # a killed command left it
        gone.mkdir(mode=0o700)
        for path in real.iterdir():
            if path != gone:
                path.rename(gone / path.name)
        durable.sync_folder(real)
        shutil.rmtree(gone)

    @property
    def facts(self) -> HostFacts:
        """What was decided, as it is now: `gear up --watch` is not the only one for hours."""
        return msgspec.json.decode((self.folder / "host.json").read_bytes(), type=HostFacts)

    def _save(self, facts: HostFacts) -> None:
        durable.write(self.folder / "host.json", msgspec.json.format(msgspec.json.encode(facts)))

    def address_of_data(self, service: str) -> str:
        """The lasting address of a data service: clients of two releases share it."""
        with self._turn:
            known = self.facts.data_addresses
            if service not in known:
                number = next(n for n in range(2, 32) if self._at(n) not in known.values())
                added = {**known, service: self._at(number)}
                self._save(msgspec.structs.replace(self.facts, data_addresses=added))
            return self.facts.data_addresses[service]

    @property
    def edge_address(self) -> str:
        """Where the edge answers Geartrain's own questions."""
        return self._at(1)

    def free_addresses(self, taken: set[str]) -> Iterator[str]:
        """Addresses for instances, none of them in `taken`."""
        return (self._at(n) for n in range(32, 255) if self._at(n) not in taken)

    def _at(self, number: int) -> str:
        return f"{self.facts.network}.{number}"

    def remember_port(self, published: int, here: int) -> None:
        """Keep a port that had to move, so that the URL stays the same."""
        if self.facts.ports.get(str(published)) != here:
            ports = {**self.facts.ports, str(published): here}
            self._save(msgspec.structs.replace(self.facts, ports=ports))

    def remember_certificate(self, certificate: Certificate | None) -> None:
        """Keep whether the edge speaks TLS, and with which certificate."""
        if self.facts.certificate != certificate:
            self._save(msgspec.structs.replace(self.facts, certificate=certificate))


def data_user() -> int | None:
    """The user that data services run as: None for this one; PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("geartrain", "postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    return 65534


def reachable(path: Path, user: int) -> bool:
    """Whether another user may enter a folder and every folder above it."""
    for folder in (path, *path.parents):
        if not folder.exists():
            continue
        stat = folder.stat()
        allowed = stat.st_mode & 0o001 or (stat.st_uid == user and stat.st_mode & 0o100)
        if not allowed:
            return False
    return True
