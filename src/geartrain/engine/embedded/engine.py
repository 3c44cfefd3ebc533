"""The embedded engine: the `Engine` protocol over a supervisor, and nginx in front."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec

from geartrain.app.credentials import Logins
from geartrain.app.model import Role, Service
from geartrain.app.policy import command_words
from geartrain.app.release import InstanceId, Release, instances
from geartrain.app.routes import sites
from geartrain.engine import access, logins, nginx
from geartrain.engine.embedded import (
    binaries,
    edge,
    encryption,
    fitness,
    observing,
    ports,
    postgres,
    proxy,
    valkey,
)
from geartrain.engine.embedded import instances as processes
from geartrain.engine.embedded.addresses import Addresses
from geartrain.engine.embedded.files import place_files
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.python import Prepared, prepare
from geartrain.engine.embedded.supervisor.client import Client, connect, ensure
from geartrain.engine.embedded.supervisor.spec import Spec
from geartrain.engine.embedded.supervisor.stale import end_leftovers, leftovers
from geartrain.engine.embedded.venv import sweep
from geartrain.engine.protocol import Observed, Outcome, Say, State, Traffic
from geartrain.engine.values import Values
from geartrain.errors import GearError

# nginx itself ends its old workers after their release's x-gear.drain; this is for one that hangs.
DRAIN_AT_MOST = 3600.0
UNUSED_ENVIRONMENTS = 30 * 86400.0


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
        self._environ = environ
        self._values = values or Values(environ)
        self._check_out = check_out
        self._client: Client | None = None
        self._prepared: dict[tuple[int, str], Prepared] = {}
        self._logins: Logins | None = None
        self._old_workers: list[int] = []
        self._fronts: dict[int, Future[str]] = {}
        self._pool = ThreadPoolExecutor(1)
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
        release = self._values.filled(release)
        folder = self._folder(release)
        folder.mkdir(parents=True, exist_ok=True)
        self._source(release)
        addresses = Addresses(self._host, release)
        addresses.decide(self.observe().instances)
        for service in release.app.services.values():
            if proxy.is_nginx(service):
                places, servers = addresses.of_instances(), addresses.servers()
                for one in instances(release, service):
                    proxy.write(self._host, service, folder, one, places[one], servers)
            elif service.stateless:
                self._prepare(release, service, say)

    def _source(self, release: Release) -> Path:
        """The release's own checkout, made when it is not there."""
        with self._turn:
            self._check_out(release, self._folder(release) / "src")
        return self._folder(release) / "src"

    def _prepare(self, release: Release, service: Service, say: Say) -> Prepared:
        key = (release.number, service.name)
        if key not in self._prepared:
            folder = self._folder(release)
            made = prepare(
                service,
                folder / "src",
                self._host.envs,
                binaries.uv(),
                target=folder / "built" / service.name,
                environ=self._environ,
                report=say,
            )
            for notice in made.notices:
                say(notice)
            self._prepared[key] = made
        return self._prepared[key]

    def sweep(self) -> None:
        """Remove Python environments that no release has asked for in a month, and old secrets."""
        running = {one.id.release for one in self.observe().instances}
        self._host.forget_releases(running)
        self._put_back(running - {None})
        keep = {made.venv for made in self._prepared.values() if made.venv}
        sweep(self._host.envs, keep, unused=UNUSED_ENVIRONMENTS)

    def _put_back(self, numbers: Collection[int | None]) -> None:
        """Write the files again of releases that run, and that memory has lost."""
        memory = self._host.memory
        for number in numbers if memory else ():
            file = self._host.releases / str(number) / "release.json"
            if memory and not memory.there(f"releases/{number}") and file.exists():
                release = self._values.filled(msgspec.json.decode(file.read_bytes(), type=Release))
                for service in release.app.services.values():
                    if service.secrets or service.configs:
                        self._paths(release, service)

    # -- data services ------------------------------------------------------

    def ensure_data(self, release: Release, service: Service, say: Say) -> None:
        """Bring a data service to its definition, and wait until it is ready."""
        release = self._values.filled(release)
        service = release.app.services[service.name]
        known = self.logins(release)
        new = False
        if service.role is Role.DATABASE:
            new = postgres.prepare(self._host, service, known.databases[service.name], say)
            spec = postgres.spec(self._host, service, known.databases[service.name])
        else:
            valkey.prepare(self._host, service, known.caches[service.name])
            spec = valkey.spec(self._host, service, known.caches[service.name])
        with self._turn:
            self._supervisor()
        # One of its own: it waits while others ask.
        with ensure(self._host.run, self._host.logs) as client:
            client.start([spec])
            seen = client.ask("ready", names=[spec.name])["instances"][0]
        if not seen["fine"]:
            raise GearError(
                f"{service.name} did not get ready: {seen['note']}",
                tail=seen["tail"],
                remedy=f"`gear logs {service.name}` shows all of it; its data was not touched",
            )
        if service.role is Role.DATABASE:
            logins_here = known.databases[service.name]
            root = self._source(release)
            postgres.settle(self._host, release.app, service, logins_here, new=new, root=root)

    # -- instances ----------------------------------------------------------

    def migrate(self, release: Release, service: Service) -> Outcome:
        """Run a service's release command once, as the owner of the data."""
        return self.run(release, service, command_words(service.gear.release or []))

    def run(self, release: Release, service: Service, argv: tuple[str, ...]) -> Outcome:
        """Run a command once in a service's place, as the owner of the data."""
        release = self._values.filled(release)
        service = release.app.services[service.name]
        one = InstanceId(service=service.name, release=release.number, index=0)
        spec = self._one_off(release, service, argv, owner=True)
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
        self._folder(release).mkdir(parents=True, exist_ok=True)
        self._source(release)
        release = self._values.filled(release)
        return self._one_off(release, release.app.services[service.name], argv, owner=False)

    def _one_off(
        self, release: Release, service: Service, argv: tuple[str, ...], *, owner: bool
    ) -> Spec:
        return processes.one_off(
            self._around(release),
            service,
            InstanceId(service=service.name, release=release.number, index=0).name,
            argv,
            Addresses(self._host, release).of_one_off(),
            self._prepare(release, service, lambda _: None),
            self._paths(release, service),
            owner=owner,
        )

    def start(self, release: Release, ids: Sequence[InstanceId]) -> None:
        """Start instances; those that run already are left alone."""
        release = self._values.filled(release)
        places = Addresses(self._host, release).of_instances()
        self._supervisor().start([self._spec(release, one, places[one]) for one in ids])
        if release.number not in self._fronts and sites(release.app):
            # While they start; what is wrong with it is told by `switch`.
            self._fronts[release.number] = self._pool.submit(self._install_front, release)

    def _spec(self, release: Release, one: InstanceId, address: str) -> Spec:
        service = release.app.services[one.service]
        paths = self._paths(release, service)
        if proxy.is_nginx(service):
            return proxy.spec(self._host, release, one, address)
        prepared = self._prepare(release, service, lambda _: None)
        return processes.spec(self._around(release), one, address, prepared, paths)

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
        # Those of this switch, and those of one whose command was killed before it came here.
        old = sorted({*self._old_workers, *nginx.leaving(nginx.workers(master))}) if master else []
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
        for path in self._host.data.resolve().iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    # -- the edge -----------------------------------------------------------

    def switch(self, release: Release) -> None:
        """Send requests to this release's instances, confirmed by the edge itself."""
        app = release.app
        wanted = sites(app)
        if not wanted:
            self._supervisor().ask("stop", names=[edge.NAME])
            return
        ahead = self._fronts.pop(release.number, None)
        name = ahead.result() if ahead else self._install_front(release)
        client = self._supervisor()
        master = self._edge_pid()
        all_sites = encryption.with_tls(self._host, wanted)
        listen = ports.listen(all_sites, self._host.facts.ports)
        self._old_workers += edge.switch(
            self._host, client, master, name, lambda: nginx.verify(app, all_sites, listen)
        )

    def _install_front(self, release: Release) -> str:
        """Write and test the edge's configuration for a release; its generation."""
        release = self._values.filled(release)
        name = edge.generation(release.number, self._host.facts)
        files, adapted = proxy.edge_files(
            self._host,
            release.app,
            sites(release.app),
            self._folder(release) / "src",
            Addresses(self._host, release).servers(),
            name,
        )
        if complaint := edge.install(self._host, name, files):
            raise proxy.refused(complaint, adapted)
        return name

    # -- what they share ----------------------------------------------------

    def _folder(self, release: Release) -> Path:
        return self._host.releases / str(release.number)

    def _around(self, release: Release) -> processes.Surroundings:
        return processes.Surroundings(
            release=release,
            logins=self.logins(release),
            names=Addresses(self._host, release).names(),
            environ=self._environ,
        )

    def logins(self, release: Release) -> Logins:
        """The logins of the data services; generated on first use."""
        with self._turn:
            if self._logins is None:
                self._logins = logins.ensure(
                    self._values.filled(release).app,
                    self._host.credentials,
                    self._host.project,
                    self._values.around(release),
                    self._values.of(release),
                )
            return self._logins

    def _paths(self, release: Release, service: Service) -> dict[str, str]:
        around = self._values.around(release)
        return place_files(self._host, release.app, service, self._folder(release), around)

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
