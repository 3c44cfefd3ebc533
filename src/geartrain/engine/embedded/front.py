"""A release in front: nginx's configuration for it, written ahead, and the switch to it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from geartrain.app.release import Release
from geartrain.app.routes import sites
from geartrain.engine import nginx
from geartrain.engine.embedded import edge, encryption, ports, proxy
from geartrain.engine.embedded.addresses import Addresses
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.release import Releases
from geartrain.engine.embedded.supervisor.client import Client
from geartrain.engine.values import Values


class Front:
    """The edge of a private host.

    Args:
        host: the private host.
        releases: its releases.
        values: what their variables and secrets are worth.
    """

    def __init__(self, host: Host, releases: Releases, values: Values) -> None:
        self._host = host
        self._releases = releases
        self._values = values
        self._old_workers: list[int] = []
        self._ahead: dict[int, Future[str]] = {}
        self._pool = ThreadPoolExecutor(1)

    def ahead(self, release: Release) -> None:
        """Begin with its configuration while instances start; `switch` tells what is wrong."""
        if release.number not in self._ahead and sites(release.app):
            self._ahead[release.number] = self._pool.submit(self._install, release)

    def switch(self, release: Release, client: Client, master: Callable[[], int]) -> None:
        """Send requests to a release's instances, confirmed by nginx itself.

        Args:
            release: the release.
            client: the supervisor.
            master: the pid of the running nginx, or 0.

        Raises:
            GearError: nginx refused; requests go where they went before.
        """
        wanted = sites(release.app)
        if not wanted:
            client.ask("stop", names=[edge.NAME])
            return
        ahead = self._ahead.pop(release.number, None)
        name = ahead.result() if ahead else self._install(release)
        running = master()
        all_sites = encryption.with_tls(self._host, wanted)
        listen = ports.listen(all_sites, self._host.facts.ports)
        self._old_workers += edge.switch(
            self._host, client, running, name, lambda: nginx.verify(release.app, all_sites, listen)
        )

    def old_workers(self, master: int) -> list[int]:
        """The workers that still have requests of releases before.

        Args:
            master: the pid of the running nginx, or 0.
        """
        if not master:
            return []
        # Those of this switch, and those of one whose command was killed before it came here.
        return sorted({*self._old_workers, *nginx.leaving(nginx.workers(master))})

    def _install(self, release: Release) -> str:
        """Write and test the edge's configuration for a release; its generation."""
        release = self._values.filled(release)
        name = edge.generation(release.number, self._host.facts)
        files, adapted = proxy.edge_files(
            self._host,
            release.app,
            sites(release.app),
            self._releases.folder(release) / "src",
            Addresses(self._host, release).servers(),
            name,
        )
        if complaint := edge.install(self._host, name, files):
            raise proxy.refused(complaint, adapted)
        return name
