"""A host whose apps run in Docker, and an app's home on it.

HOST/
  docker.json        its id, its edge's private address, what was decided since
  allow.json         rights beyond the usual that its owner grants to apps
  edge/              nginx's configuration, a folder a generation
  edge/tls/          certificates, and answers to whom they are asked of
and, for each app, what `geartrain.engine.home.Home` names, with
  releases/N/        addresses.json, images.json, src/ (the checkout)
  data/              configuration of the data services
and in memory (`geartrain.engine.memory`) what has secrets in it:
  releases/N/        compose.json, secrets/, configs/
  data/NAME/         the same of a data service
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
from msgspec import Struct

from geartrain import durable
from geartrain.engine.certificates import Store
from geartrain.engine.home import Home
from geartrain.engine.memory import Memory
from geartrain.render import containers

ADMIN_PORT = 8089
SYSTEM = Path("/var/lib/geartrain")  # the machine's own host
FILE = "docker.json"


class HostFacts(Struct, frozen=True, kw_only=True):
    """What was decided when the host was made, or since, and must not move."""

    id: str
    admin: str  # where the edge answers Geartrain's own questions
    pool: str = ""  # the addresses that networks are cut from
    ports: dict[str, int] = {}  # published port of a Compose file → port here


class DockerHost:
    """The folder of a host, and its lasting facts.

    Args:
        folder: where it is, such as `/var/lib/geartrain`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.edge = folder / "edge"
        self.certificates = Store(self.edge / "tls")
        self._facts: HostFacts | None = None

    def exists(self) -> bool:
        """True when the host was made before."""
        return (self.folder / FILE).exists()

    def create(self, ports: dict[str, int] | None = None) -> None:
        """Make what is missing of it.

        Args:
            ports: published port of a Compose file → port of this machine, where they differ.
        """
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for folder in (self.edge, self.edge / "run", self.edge / "logs", self.edge / "static"):
            folder.mkdir(mode=0o755, exist_ok=True)
        if not self.exists():
            import hashlib

            key = hashlib.sha256(str(self.folder.resolve()).encode()).digest()
            admin = f"127.{16 + key[0] % 224}.{key[1]}.1:{ADMIN_PORT}"
            self._save(HostFacts(id=key.hex()[:8], admin=admin, ports=ports or {}))

    @property
    def facts(self) -> HostFacts:
        """What was decided once."""
        if self._facts is None:
            text = (self.folder / FILE).read_bytes()
            self._facts = msgspec.json.decode(text, type=HostFacts)
        return self._facts

    def remember_pool(self, pool: str) -> None:
        """Keep the addresses that networks are cut from."""
        self._save(msgspec.structs.replace(self.facts, pool=pool))

    def port(self, published: int) -> int:
        """The port here of a port that a Compose file publishes."""
        return self.facts.ports.get(str(published), published)

    def allowed(self, app: str) -> frozenset[str]:
        """The keys beyond the usual that the host's owner grants to an app."""
        try:
            text = (self.folder / "allow.json").read_bytes()
        except FileNotFoundError:
            return frozenset()
        return frozenset(msgspec.json.decode(text, type=dict[str, list[str]]).get(app, ()))

    @property
    def edge_container(self) -> str:
        """The name of the edge's container and Compose project."""
        return f"geartrain-edge-{self.facts.id}"

    def edge_lock(self) -> AbstractContextManager[None]:
        """Be the only one who changes the edge, which all apps share. Held for a second or so."""
        return durable.alone(self.edge / "lock")

    def _save(self, facts: HostFacts) -> None:
        durable.write(self.folder / FILE, msgspec.json.format(msgspec.json.encode(facts)))
        self._facts = facts


class DockerHome(Home):
    """An app's home on such a host.

    Args:
        host: the host.
        name: the app's name there.
        project: as in `Home`.
        folder: where its state is; default `apps/NAME` of the host.
        untracked: as in `Home`.
    """

    def __init__(
        self,
        host: DockerHost,
        name: str,
        project: Path,
        folder: Path | None = None,
        untracked: Path | None = None,
    ) -> None:
        super().__init__(project, folder or host.folder / "apps" / name, untracked)
        self.host = host
        self.name = name
        self.memory = Memory(host.folder, name)
        self.data = self.folder / "data"
        self.retiring = self.run / "retiring"

    @property
    def base(self) -> str:
        """Begins the names of its containers, networks and volumes.

        They are the whole machine's, and another host on it may have such an app too.
        """
        return self.name if self.host.folder == SYSTEM else f"{self.name}-{self.host.facts.id}"

    @property
    def labels(self) -> dict[str, str]:
        """On all that is the app's in Docker; nothing without them is ever touched."""
        return {containers.HOST: self.host.facts.id, containers.APP: self.name}

    def network_lock(self) -> AbstractContextManager[None]:
        """Have no network go of which nobody is on yet, but somebody soon will be."""
        return durable.alone(self.run / "network.lock")

    def create(self) -> None:
        """Make what is missing of it."""
        self.host.create()
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for folder in (self.run, self.logs, self.releases, self.data, self.retiring):
            folder.mkdir(mode=0o700, exist_ok=True)
