"""The Docker engine: the `Engine` protocol over containers that Compose makes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from geartrain.app.credentials import Logins
from geartrain.app.model import Role, Service
from geartrain.app.policy import command_words
from geartrain.app.release import InstanceId, Release
from geartrain.app.routes import sites
from geartrain.engine import access, logins, nginx
from geartrain.engine.docker import (
    access_log,
    data,
    edge,
    fitness,
    jobs,
    missing,
    networks,
    observing,
    one_off,
    project,
    publishing,
    readiness,
    retiring,
    stores,
    unsettled,
)
from geartrain.engine.docker.client import client
from geartrain.engine.docker.host import DockerHome
from geartrain.engine.docker.images import prune
from geartrain.engine.docker.release import Releases
from geartrain.engine.protocol import Observed, Outcome, Say, Traffic
from geartrain.engine.values import Values
from geartrain.errors import GearError
from geartrain.render import containers
from geartrain.run import CommandError


class DockerEngine:
    """Runs an app's instances as containers of this machine's Docker.

    Args:
        home: the app's home on a host.
        environ: environment of whoever acts; secrets may come from it.
        check_out: writes a release's source into a folder.
        values: what its variables and secrets are worth; default the environment.
    """

    def __init__(
        self,
        home: DockerHome,
        environ: Mapping[str, str],
        check_out: Callable[[Release, Path], None],
        values: Values | None = None,
    ) -> None:
        self._home = home
        self._host = home.host
        self._environ = environ
        self._values = values or Values(environ)
        self._releases = Releases(home, self._values, check_out, self.logins)
        self._logins: Logins | None = None
        self._old_workers: list[int] = []
        self._parts: dict[int, publishing.Part] = {}
        self._begun: list[threading.Thread] = []
        self._turn = threading.RLock()  # build and data services run at once

    # -- reading ------------------------------------------------------------

    def observe(self) -> Observed:
        """Read what runs now."""
        # Asked before and after: one that has been stopped may be gone, with its note, in between.
        stopping = retiring.stopping(self._home)
        found = observing.of_app(self._home)
        stopping |= retiring.stopping(self._home)
        seen = observing.instances(found, stopping, unsettled.services(self._home))
        seen = jobs.noted(self._home, found, seen)
        claim = edge.claims(self._host).get(self._home.name)
        if claim is None:
            return Observed(instances=seen)
        front = publishing.front(self._host)
        routed = publishing.routed(self._host, claim, front, found)
        return Observed(instances=(*seen, front) if front else seen, routed=routed)

    def exclusive(self, seen: Observed) -> Observed:
        """Mark the instances beside which no second copy can run."""
        why = observing.exclusive(observing.of_app(self._home))
        marked = [
            msgspec.structs.replace(one, exclusive=why[one.id]) if one.id in why else one
            for one in seen.instances
        ]
        return msgspec.structs.replace(seen, instances=tuple(marked))

    # -- before anything is changed -----------------------------------------

    def check(self, release: Release) -> tuple[str, ...]:
        """Notices about what this engine does differently.

        Raises:
            GearError: it cannot run this release; nothing was changed.
        """
        said = fitness.check(self._home, self._values.filled(release).app)
        if any(service.build for service in release.app.services.values()):
            self._ahead(client)  # to see what each `docker` can do takes a while
        publishing.check(self._home, release)
        return said

    def urls(self, release: Release) -> tuple[str, ...]:
        """Where a person finds the app."""
        return publishing.urls(self._host, sites(release.app))

    # -- building -----------------------------------------------------------

    def build(self, release: Release, say: Say) -> None:
        """Check the source out, get or build every image, make networks and volumes."""
        self._join()
        self._releases.make(self._values.filled(release), say)

    def sweep(self) -> None:
        """Remove what was made for releases that are gone."""
        kept = {one.id.release for one in self.observe().instances}
        number = {containers.project(self._home.base, n): n for n in kept if n is not None}
        stray = [name for name in networks.of_app(self._home)
                 if name.startswith(f"{self._home.base}--r") and name not in number]  # fmt: skip
        networks.remove(*stray)
        publishing.sweep(self._home, {n for n in kept if n is not None})
        access_log.rotate(self._host)
        self._releases.sweep_images({n for n in kept if n is not None})
        self._home.forget_releases(kept)
        self._put_back()

    def _put_back(self) -> None:
        """Write the files again that containers would miss when they start: memory was lost."""
        for number in missing.releases(self._home, observing.of_app(self._home)):
            if (release := self._releases.known(number)) is not None:
                self._releases.put_back(self._values.filled(release))

    # -- data services ------------------------------------------------------

    def ensure_data(self, release: Release, service: Service, say: Say) -> None:
        """Bring a data service to its definition, and wait until it is ready."""
        release = self._values.filled(release)
        service = release.app.services[service.name]
        source = self._releases.source(release)
        image = self._releases.image(release, service, say)
        with self._turn:
            data.network(self._home, release.app)  # one makes it, not two at once
        if service.store:
            stores.ensure(self._home, self._releases, release, service, source, self._values, say)
            return
        data.ensure(
            self._home, release.app, service, image, self.logins(release), source,
            self._environ, say,
        )  # fmt: skip

    # -- instances ----------------------------------------------------------

    def migrate(self, release: Release, service: Service) -> Outcome:
        """Run a service's release command once, as the owner of the data."""
        return self.run(release, service, command_words(service.gear.release or []))

    def run(self, release: Release, service: Service, argv: tuple[str, ...]) -> Outcome:
        """Run a command once in a service's place, as the owner of the data."""
        left = [one for one in observing.of_app(self._home)
                if one.instance is not None and one.instance.index == 0]  # fmt: skip
        # One that a killed command left: never two at once, of whatever release.
        one_off.remove(left)
        release = self._values.filled(release)
        service = release.app.services[service.name]
        file = self._releases.one_off(release, service, argv)
        return one_off.run(self._home, release, service, file, self._environ)

    def command(
        self, release: Release, service: Service, argv: tuple[str, ...], env: Mapping[str, str]
    ) -> str:
        """The Compose file, as text, of a person's own command in a service's place."""
        release = self._values.filled(release)
        return self._releases.command(release, release.app.services[service.name], argv, env)

    def start(self, release: Release, ids: Sequence[InstanceId]) -> None:
        """Start instances; those that run already are left alone."""
        wanted = self._not_running(ids)
        if not wanted:
            return
        with self._home.network_lock():
            self._releases.look_again(release)  # the one there was may have gone since `build`
            self._start(self._values.filled(release), wanted)

    def _start(self, release: Release, wanted: Sequence[InstanceId]) -> None:
        file = self._releases.file(release)
        if release.number not in self._parts and sites(release.app):
            self._ahead(self._part(release, {}).ahead)
        keys = containers.keys(release)
        later = [one for one in wanted if release.app.services[one.service].role is Role.JOB]
        rest = [one for one in wanted if one not in later]
        for some, act in ((rest, project.up), (later, project.create)):
            if some:
                done = act(file, [keys[one] for one in some], self._environ)
                if done.code:
                    self._explain(release, some, CommandError(done))

    def _not_running(self, ids: Sequence[InstanceId]) -> list[InstanceId]:
        """Instances that must be started; what is left of earlier tries is taken away."""
        found = {one.instance: one for one in observing.of_app(self._home)} if ids else {}
        wanted = []
        for one in ids:
            there = found.get(one)
            if there is None or not retiring.keep(self._home, there.id):
                wanted.append(one)
            elif not there.settled:
                if there.state.status != "created":
                    retiring.remove(self._home, [there])
                wanted.append(one)
        return wanted

    def _explain(self, release: Release, ids: Sequence[InstanceId], error: CommandError) -> None:
        """Compose failed: what a container says of itself is told by `ready`, else this."""
        names = {containers.container(self._home.base, one) for one in ids}
        found = observing.inspect(*names)
        if not any(one.state.error for one in found):
            raise GearError(
                "Docker did not start the instances",
                where=containers.project(self._home.base, release.number),
                tail=error.tail,
            )

    def ready(self, ids: Sequence[InstanceId]) -> tuple[Outcome, ...]:
        """Wait, bounded, until each is ready or one has failed."""
        return readiness.wait([self._awaited(one) for one in ids])

    def _awaited(self, one: InstanceId) -> readiness.Awaited:
        release = self._releases.known(one.release)
        service = release.app.services.get(one.service) if release else None
        within = readiness.limit(service) if service else readiness.START_TIMEOUT
        name = containers.container(self._home.base, one)
        return readiness.Awaited(id=one, container=name, within=within)

    def retire(self, ids: Sequence[InstanceId]) -> None:
        """Stop instances once no request can reach them any more. Does not wait."""
        found = {one.instance: one for one in observing.of_app(self._home)}
        going = [found[one] for one in ids if one in found]
        served = [one for one in going if one.role in (Role.WEB, Role.OTHER)]
        rest = [one for one in going if one not in served]
        master = publishing.master(self._host)
        # Those of this switch, and those of one whose command was killed before it came here.
        old = {*self._old_workers, *nginx.leaving(nginx.workers(master))} if master else set()
        for one in rest:  # a job that runs is let finish
            running = one.role == Role.JOB and one.running
            retiring.write(self._home, [one], (one.state.pid,) if running else ())
        retiring.write(self._home, served, sorted(old))
        retiring.begin(self._home)

    def drained(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for all that retires."""
        return retiring.wait(self._home, timeout)

    def stop(self, ids: Sequence[InstanceId]) -> None:
        """Stop instances now, and wait for it."""
        found = {one.instance: one for one in observing.of_app(self._home)}
        retiring.remove(self._home, [found[one] for one in ids if one in found])

    def traffic(self, number: int, since: float) -> Traffic:
        """What the edge answered for a release since a Unix time, as far as its log goes back."""
        log = self._host.edge / "logs" / "access.log"
        return access.traffic(log, self._home.name, number, since)

    def down(self) -> bool:
        """Stop everything, data services last; says whether anything ran."""
        self._join()  # what was begun ahead would make an edge again
        publishing.withdraw(self._home)
        found = observing.of_app(self._home)
        lasting = [one for one in found if one.instance and one.instance.release is None]
        retiring.remove(self._home, [one for one in found if one not in lasting])
        retiring.remove(self._home, lasting)
        one_off.remove(one_off.of_people(self._home))
        networks.remove(*networks.of_app(self._home))
        self._home.forget()
        return bool(found)

    def erase(self) -> None:
        """Delete the app's data and images, after `down`; a volume from before stays."""
        data.erase(self._home)
        prune.sweep(self._host.facts.id, self._home.name, set(), set())

    # -- the edge -----------------------------------------------------------

    def switch(self, release: Release) -> None:
        """Send requests to this release's instances, confirmed by the edge itself."""
        if not sites(release.app):
            publishing.withdraw(self._home)
            return
        self._join()
        found = observing.of_app(self._home)
        seen = {one.instance: one.address for one in found if one.instance and one.running}
        self._old_workers += self._part(release, seen).switch()

    def _part(self, release: Release, seen: Mapping[InstanceId, str]) -> publishing.Part:
        """The release's part of the edge; addresses are decided before anything starts."""
        servers = self._releases.servers(release, seen)
        known = self._parts.get(release.number)
        if known is None or known.servers != servers:
            known = publishing.Part(self._home, release, servers, self._environ)
            self._parts[release.number] = known
        return known

    def _ahead(self, act: Callable[[], object]) -> None:
        """Begin what will be needed soon, while something else is waited for."""
        thread = threading.Thread(target=act)
        thread.start()
        self._begun.append(thread)

    def _join(self) -> None:
        while self._begun:
            self._begun.pop().join()

    # -- what they share ----------------------------------------------------

    def logins(self, release: Release) -> Logins:
        """The logins of the data services; generated on first use."""
        with self._turn:
            if self._logins is None:
                self._logins = logins.ensure(
                    self._values.filled(release).app,
                    self._home.credentials,
                    self._home.project,
                    self._values.around(release),
                    self._values.of(release),
                )
            return self._logins
