"""One host an engine, and what runs and lies about there, read past the engine itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geartrain.engine.docker.host import DockerHost
from geartrain.render import containers
from tests.dockerd import docker
from tests.engine.docker.hosts import clean
from tests.server.pushing import Clone, HostFolder, clone_of, own_name


class Embedded:
    """Processes."""

    def __init__(self, shop: Clone) -> None:
        self.shop = shop

    def running(self) -> list[str]:
        """Every instance by name, whatever its state."""
        return self.shop.instances()

    def left_over(self, live: int) -> list[str]:  # noqa: ARG002  # containers have networks
        """What should be gone, besides instances."""
        return []


class InDocker(Embedded):
    """Containers, with all that Docker keeps for them: read by label."""

    def running(self) -> list[str]:
        form = '{{{{.Label "{0}"}}}}'
        shown = " ".join(form.format(f"geartrain.{n}") for n in ("role", "service", "release",
                                                                 "index"))  # fmt: skip
        found = []
        for line in self._listed("ps", "--all", f"--format={shown}").splitlines():
            role, service, *rest = line.split()
            found.append("edge" if role == "edge" else ".".join((service, *rest)))
        return sorted(name.removesuffix(".1") if name.count(".") == 1 else name for name in found)

    def left_over(self, live: int) -> list[str]:
        base = f"{self.shop.app}-{self._id}"
        networks = self._listed("network", "ls", "--format={{.Name}}").split()
        wanted = {f"{base}--r{live}", containers.data_network(base)}
        kept = {path.name for path in (self.shop.state / "releases").iterdir()}
        images = self._listed("image", "ls", "--format={{.Repository}}:{{.Tag}}").split()
        return [
            *(f"network {name}" for name in networks if name not in wanted),
            *(f"image {name}" for name in images if name.rpartition(":r")[2] not in kept),
            *(str(path) for path in (self.shop.state / "releases").glob("*/gear-build-*")),
            *(f"volume {name}" for name in self._listed("volume", "ls", "--quiet").split()
              if not name.startswith(f"{base}_")),
        ]  # fmt: skip

    @property
    def _id(self) -> str:
        return DockerHost(self.shop.host.folder).facts.id

    def _listed(self, *words: str) -> str:
        return docker(*words, f"--filter=label={containers.HOST}={self._id}")


@contextmanager
def app_on(engine: str, parent: Path, source: str = "hello") -> Iterator[tuple[Clone, Embedded]]:
    """A host with an engine and an app on it, to which nothing was pushed yet."""
    host = HostFolder(parent / "host")
    host.gear("host", "init", "--engine", engine)
    if engine == "embedded":
        try:
            clone = clone_of(host, "shop", parent, source)
            yield clone, Embedded(clone)
        finally:
            host.finish()
        return
    try:
        clone = clone_of(host, own_name("shop"), parent, source)
        yield clone, InDocker(clone)
        clone.gear("destroy", clone.app, "--data", "--yes", code=None)
    finally:
        clean(DockerHost(host.folder))
