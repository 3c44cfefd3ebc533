"""The embedded engine: the `Engine` protocol over a supervisor, and nginx in front."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from geartrain.app.credentials import Logins
from geartrain.app.model import Role, Service
from geartrain.app.policy import command_words
from geartrain.app.release import InstanceId, Release
from geartrain.app.routes import sites
from geartrain.engine import access, nginx
from geartrain.engine.embedded import (
    data,
    edge,
    encryption,
    fitness,
    observing,
    ports,
    postgres,
    proxy,
)
from geartrain.engine.embedded.front import Front
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.release import Releases
from geartrain.engine.embedded.supervisor.client import Client, connect, ensure
from geartrain.engine.embedded.supervisor.spec import Spec
from geartrain.engine.embedded.supervisor.stale import end_leftovers, leftovers
from geartrain.engine.protocol import Observed, Outcome, Say, State, Traffic
from geartrain.engine.values import Values
from geartrain.errors import GearError

# nginx itself ends its old workers after their release's x-gear.drain; this is for one that hangs.
DRAIN_AT_MOST = 3600.0


class EmbeddedEngine:
    """Runs a private host's instances as processes of this machine.

    Args:
        host: the private host.
        environ: environment of whoever acts; secrets may come from it.
        check_out: writes a release's source into a folder.
        values: what its variables and secrets are worth; default the environment.
    """

    def __init__(
        self,
        host: Host,
        environ: Mapping[str, str],
        check_out: Callable[[Release, Path], None],
        values: Values | None = None,
    ) -> None:
        self._host = host
        self._values = values or Values(environ)
        self._releases = Releases(host, environ, check_out, self._values)
        self._front = Front(host, self._releases, self._values)
        self._client: Client | None = None
        self._turn = threading.RLock()  # build and data services run at once

    # -- reading ------------------------------------------------------------

    def observe(self) -> Observed:
        """Read what runs now."""
        client = self._connected()
        if client is None:
            return Observed()
        plains = client.ask("observe")["instances"]
        seen = tuple(observing.instance(self._host, plain) for plain in plains)
        return Observed(instances=seen, routed=observing.routed(self._host, seen))

    def exclusive(self, seen: Observed) -> Observed:
        """Mark the instances beside which no second copy can run."""
        return observing.exclusive(seen)

    # -- before anything is changed -----------------------------------------

    def check(self, release: Release) -> tuple[str, ...]:
        """Notices about what this engine does differently.

        Raises:
            GearError: it cannot run this release; nothing was changed.
        """
        said = fitness.check(self._host, self._values.filled(release).app)
        master = self._edge_pid()
        own = {master, *nginx.workers(master)} if master else set()
        if self._connected() is None:
            own |= set(leftovers(self._host.run))  # ended before anything starts
        wanted = encryption.with_tls(self._host, sites(release.app))
        return (*said, *ports.choose(self._host, wanted, own))

    def urls(self, release: Release) -> tuple[str, ...]:
        """Where a person finds the app."""
        wanted = encryption.with_tls(self._host, sites(release.app))
        return ports.urls(wanted, self._host.facts.ports)

    # -- building -----------------------------------------------------------

    def build(self, release: Release, say: Say) -> None:
        """Check the source out and make every Python environment that is missing."""
        self._releases.build(self._values.filled(release), self.observe().instances, say)

    def sweep(self) -> None:
        """Remove Python environments that no kept release has, nor had lately, and old secrets."""
        self._releases.sweep({one.id.release for one in self.observe().instances})

    # -- data services ------------------------------------------------------

    def ensure_data(self, release: Release, service: Service, say: Say) -> None:
        """Bring a data service to its definition, and wait until it is ready."""
        release = self._values.filled(release)
        service = release.app.services[service.name]
        known = self.logins(release)
        spec, new = data.prepare(self._host, service, known, say)
        self._supervisor()
        data.start(self._host, spec)
        if service.role is Role.DATABASE:
            mine = known.databases[service.name]
            root = self._releases.source(release)
            postgres.settle(self._host, release.app, service, mine, new=new, root=root)

    def logins(self, release: Release) -> Logins:
        """The logins of the data services; generated on first use."""
        return self._releases.logins(release)

    # -- instances ----------------------------------------------------------

    def migrate(self, release: Release, service: Service) -> Outcome:
        """Run a service's release command once, as the owner of the data."""
        return self.run(release, service, command_words(service.gear.release or []))

    def run(self, release: Release, service: Service, argv: tuple[str, ...]) -> Outcome:
        """Run a command once in a service's place, as the owner of the data."""
        release = self._values.filled(release)
        service = release.app.services[service.name]
        one = InstanceId(service=service.name, release=release.number, index=0)
        spec = self._releases.one_off(release, service, argv, owner=True)
        client = self._supervisor()
        seen = client.ask("observe")["instances"]
        # One that a killed command left: never two at once, of whatever release.
        client.ask("stop", names=[plain["name"] for plain in seen if plain["index"] == 0])
        client.start([spec])
        try:
            done = client.ask("ready", names=[one.name])["instances"][0]
        finally:
            client.ask("stop", names=[one.name])
        return Outcome(id=one, ok=done["fine"], reason=done["note"], tail=tuple(done["tail"]))

    def command(self, release: Release, service: Service, argv: tuple[str, ...]) -> Spec:
        """What a person's own command in a service's place is: as the service itself would be.

        Raises:
            GearError: nothing here runs such a service.
        """
        if proxy.is_nginx(service):
            raise GearError(
                f"{service.name} is nginx, which has no surroundings here",
                remedy="name a service that is built from the repository",
            )
        self._releases.folder(release).mkdir(parents=True, exist_ok=True)
        self._releases.source(release)
        release = self._values.filled(release)
        wanted = release.app.services[service.name]
        return self._releases.one_off(release, wanted, argv, owner=False)

    def start(self, release: Release, ids: Sequence[InstanceId]) -> None:
        """Start instances; those that run already are left alone."""
        release = self._values.filled(release)
        self._supervisor().start(self._releases.specs(release, ids))
        self._front.ahead(release)

    def ready(self, ids: Sequence[InstanceId]) -> tuple[Outcome, ...]:
        """Wait, bounded, until each is ready or one has failed."""
        by_name = {one.name: one for one in ids}
        seen = self._supervisor().ask("ready", names=list(by_name))["instances"]
        return tuple(
            Outcome(
                id=by_name[plain["name"]],
                ok=plain["fine"],
                reason=plain["note"] + observing.elsewhere(plain),
                tail=tuple(plain["tail"]),
            )
            # The one that failed first, before those that it kept waiting.
            for plain in sorted(seen, key=lambda p: p["state"] != State.FAILED)
        )

    def retire(self, ids: Sequence[InstanceId]) -> None:
        """Stop instances once no request can reach them any more. Does not wait."""
        client = self._supervisor()
        seen = {plain["name"]: plain for plain in client.ask("observe")["instances"]}
        served = [
            one.name for one in ids if seen.get(one.name, {}).get("role") in (Role.WEB, Role.OTHER)
        ]
        rest = [one.name for one in ids if one.name not in served]
        master = seen.get(edge.NAME, {}).get("pid", 0)
        old = self._front.old_workers(master)
        if rest:
            client.ask("retire", names=rest, after=[], deadline=DRAIN_AT_MOST)
        if served:
            client.ask("retire", names=served, after=old, deadline=DRAIN_AT_MOST)

    def drained(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for all that retires."""
        return bool(self._supervisor().ask("drained", timeout=timeout)["drained"])

    def stop(self, ids: Sequence[InstanceId]) -> None:
        """Stop instances now, and wait for it."""
        self._supervisor().ask("stop", names=[one.name for one in ids])

    def traffic(self, number: int, since: float) -> Traffic:
        """What the edge answered for a release since a Unix time, as far as its log goes back."""
        return access.traffic(self._host.logs / "access.log", "", number, since)

    def down(self) -> bool:
        """Stop everything, data services last; says whether anything ran."""
        client, self._client = self._connected(), None
        if client is None:
            end_leftovers(self._host.run)
            self._host.forget()
            return False
        client.ask("shutdown")
        client.ended()
        self._host.forget()
        return True

    def erase(self) -> None:
        """Delete the app's data, after `down`."""
        self._host.erase()

    # -- the edge -----------------------------------------------------------

    def switch(self, release: Release) -> None:
        """Send requests to this release's instances, confirmed by the edge itself."""
        self._front.switch(release, self._supervisor(), self._edge_pid)

    # -- what they share ----------------------------------------------------

    def _edge_pid(self) -> int:
        """The pid of the running nginx, or 0."""
        edges = [i for i in self.observe().instances if i.id.name == edge.NAME]
        return edges[0].pid if edges else 0

    def _connected(self) -> Client | None:
        if self._client is None:
            self._client = connect(self._host.run)
        return self._client

    def _supervisor(self) -> Client:
        with self._turn:
            if self._client is None:
                self._client = ensure(self._host.run, self._host.logs)
            return self._client

    def connect(self) -> Client:
        """The supervisor, started when none runs (by the holder of the host's lock)."""
        return self._supervisor()
