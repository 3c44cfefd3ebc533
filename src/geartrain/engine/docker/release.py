"""What a release is started from: its checkout, images, networks, volumes and Compose file."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from geartrain import durable
from geartrain.app.credentials import Logins
from geartrain.app.model import MountKind, Role, Service
from geartrain.app.release import InstanceId, Release, instances
from geartrain.engine.docker import addresses, data, imagery, networks, probing, project, volumes
from geartrain.engine.docker.builds.build import PREFIX, Order, build
from geartrain.engine.docker.host import DockerHome
from geartrain.engine.docker.images import prune
from geartrain.engine.docker.images.ensure import ensure as ensure_images
from geartrain.engine.docker.mounts import binds
from geartrain.engine.protocol import Say
from geartrain.engine.values import Values
from geartrain.render import compose, containers
from geartrain.render.environment import environment


class Releases:
    """Makes releases of an app, and knows those that this process met.

    Args:
        home: the app's home.
        values: the caller's environment, and secrets.
        check_out: writes a release's source into a folder.
        logins: the logins of the data services.
    """

    def __init__(
        self,
        home: DockerHome,
        values: Values,
        check_out: Callable[[Release, Path], None],
        logins: Callable[[Release], Logins],
    ) -> None:
        self._home = home
        self._values = values
        self._environ = values.environ
        self._check_out = check_out
        self._logins = logins
        self._known: dict[int, Release] = {}
        self._images: dict[tuple[int, str], str] = {}
        self._joined: dict[int, tuple[networks.Network, networks.Network | None]] = {}
        self._turn = threading.RLock()
        self._net_turn = threading.Lock()  # networks are made while images are built

    def known(self, number: int | None) -> Release | None:
        """A release that was made or started here, or that is kept."""
        if number is None:
            return None
        if number not in self._known:
            path = self._home.releases / str(number) / "release.json"
            if not path.exists():
                return None
            self._known[number] = msgspec.json.decode(path.read_bytes(), type=Release)
        return self._known[number]

    def folder(self, release: Release) -> Path:
        """The release's own folder."""
        self._known[release.number] = release
        folder = self._home.releases / str(release.number)
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        return folder

    def _private(self, release: Release) -> Path:
        """The release's folder for what has secrets in it."""
        self.folder(release)
        return self._home.private(f"releases/{release.number}")

    def source(self, release: Release) -> Path:
        """The release's own checkout, made when it is not there."""
        place = self.folder(release) / "src"
        with self._turn:
            self._check_out(release, place)
        return place

    # -- making -------------------------------------------------------------

    def make(self, release: Release, say: Say) -> None:
        """Make everything that the release's instances are started from.

        Networks and volumes are made while images are built: both take a while.
        """
        self.look_again(release)
        trouble: list[BaseException] = []

        def around() -> None:
            try:
                self._surround(release)
            except BaseException as error:
                trouble.append(error)

        other = threading.Thread(target=around)
        other.start()
        try:
            for service in release.app.services.values():
                if service.stateless:
                    self.image(release, service, say)
        finally:
            other.join()
        if trouble:
            raise trouble[0]

    def _surround(self, release: Release) -> None:
        self._networks(release)
        for service in release.app.services.values():
            for mount in service.mounts:
                if mount.kind is MountKind.VOLUME and mount.source and service.stateless:
                    name = containers.volume(self._home.base, mount.source)
                    volumes.ensure(self._home, name, mount.options)

    def _networks(self, release: Release) -> tuple[networks.Network, networks.Network | None]:
        name = containers.project(self._home.base, release.number)
        with self._net_turn:
            if release.number not in self._joined:
                own = networks.ensure(self._home, name, room=len(_stateless(release)))
                self._joined[release.number] = own, data.network(self._home, release.app)
            return self._joined[release.number]

    def look_again(self, release: Release) -> None:
        """Forget the release's networks: they go with the last of its instances."""
        with self._net_turn:
            self._joined.pop(release.number, None)

    def image(self, release: Release, service: Service, say: Say) -> str:
        """The local name of a service's image, got or built when it is not here."""
        key = (release.number, service.name)
        with self._turn:
            if key not in self._images:
                self._images[key] = self._kept(release).get(service.name) or self._get(
                    release, service, say
                )
                durable.write(
                    self.folder(release) / "images.json",
                    msgspec.json.encode(
                        {n: i for (r, n), i in self._images.items() if r == release.number}
                    ),
                )
            return self._images[key]

    def _get(self, release: Release, service: Service, say: Say) -> str:
        if service.build is None:
            return ensure_images([service.image], say, environ=self._environ)[service.image]
        for other in release.app.services.values():
            known = self._images.get((release.number, other.name))
            if other.build == service.build and known:
                return known  # web and worker of one Dockerfile are one image
        name = f"geartrain-app/{self._home.base}-{service.name.lower()}:r{release.number}"
        labels = {**self._home.labels, containers.RELEASE: str(release.number)}
        order = Order(
            app=release.app,
            service=service,
            source=self.source(release),
            tag=name,
            labels=labels,
            values=self._values.around(release),
        )
        return build(order, say, environ=self._environ, scratch=self._private(release))

    def _kept(self, release: Release) -> dict[str, str]:
        """Images that were got or built before, and are still here."""
        path = self.folder(release) / "images.json"
        if not path.exists():
            return {}
        kept = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        return {name: image for name, image in kept.items() if imagery.find(image)}

    def sweep_images(self, running: Collection[int]) -> None:
        """Remove the images of releases that are gone, and what a killed build left."""
        folders = [path for path in self._home.releases.glob("*") if path.name.isdecimal()]
        used: set[str] = set()
        for folder in folders:
            memory = self._home.memory
            for place in (folder, *(memory.there(f"releases/{folder.name}") if memory else ())):
                for left in place.glob(f"{PREFIX}*"):  # of a build that was killed
                    shutil.rmtree(left, ignore_errors=True)
            path = folder / "images.json"
            if path.exists():
                used |= set(msgspec.json.decode(path.read_bytes(), type=dict[str, str]).values())
        kept = {int(folder.name) for folder in folders} | set(running)
        prune.sweep(self._home.host.facts.id, self._home.name, kept, used)

    # -- rendering ----------------------------------------------------------

    def file(self, release: Release) -> Path:
        """The release's Compose file, as it is now."""
        path = self._private(release) / "compose.json"
        project.write(path, compose.release_file(release, self._around(release)))
        return path

    def put_back(self, release: Release) -> None:
        """Write the files again that the release's instances have mounted."""
        self._binds(release, self.source(release))

    def _binds(self, release: Release, source: Path) -> dict[str, tuple[compose.Bind, ...]]:
        private, around = self._private(release), self._values.around(release)
        return {
            s.name: binds(self._home, release.app, s, private, source, around)
            for s in release.app.services.values()
            if s.stateless
        }

    def one_off(self, release: Release, service: Service, argv: tuple[str, ...]) -> Path:
        """A Compose file with a command that runs once, as the owner of the data."""
        around = self._around(release, owner=True)
        path = self._private(release) / f"compose.{service.name}.json"
        project.write(path, compose.one_off_file(release, service, argv, around))
        return path

    def command(
        self, release: Release, service: Service, argv: tuple[str, ...], env: Mapping[str, str]
    ) -> str:
        """The text of a Compose file with a person's own command, as the service itself would be.

        Args:
            release: whose code it is.
            service: in whose place it runs.
            argv: the command.
            env: further variables.
        """
        return compose.command_file(release, service, argv, self._around(release), env)

    def servers(
        self, release: Release, seen: Mapping[InstanceId, str]
    ) -> dict[str, tuple[str, ...]]:
        """Service (`name:port` for a further port of it) → `address:port` of its instances.

        Args:
            release: the release.
            seen: where instances are, as Docker says; those that are not there yet will be
                where it was decided.
        """
        found: dict[str, tuple[str, ...]] = {}
        for one, decided in sorted(self._addresses(release).items()):
            address = seen.get(one) or decided
            for name, port in _ports(release.app.services[one.service]).items():
                found[name] = (*found.get(name, ()), f"{address}:{port}")
        return found

    def _addresses(self, release: Release) -> dict[InstanceId, str]:
        own, _ = self._networks(release)
        file = self.folder(release) / "addresses.json"
        return addresses.decide(file, own, _stateless(release))

    def _around(self, release: Release, *, owner: bool = False) -> compose.Surroundings:
        own, shared = self._networks(release)
        source = self.source(release)
        services = [s for s in release.app.services.values() if s.stateless]
        return self.around(
            release,
            services,
            (own.name, shared.name) if shared else (own.name,),
            self._addresses(release),
            self._binds(release, source),
            owner=owner,
            names=data.names(self._home, release.app, shared) if shared else {},
        )

    def around(
        self,
        release: Release,
        services: Sequence[Service],
        joined: Sequence[str],
        addresses: Mapping[InstanceId, str],
        bound: Mapping[str, tuple[compose.Bind, ...]],
        *,
        owner: bool = False,
        names: Mapping[str, str] | None = None,
    ) -> compose.Surroundings:
        """What some services of a release find here.

        Args:
            release: the release.
            services: the services.
            joined: networks, the one with the addresses first.
            addresses: where instances are.
            bound: by service, what is mounted from this machine.
            owner: they log in to databases as their owner.
            names: of databases and caches, with their addresses.
        """
        app, home = release.app, self._home
        logins = self._logins(release)
        hosts = {s.name: s.name for s in app.of_role(Role.DATABASE, Role.CACHE)}
        said = {"GEAR_APP": home.name}
        return compose.Surroundings(
            host=home.host.facts.id,
            app=home.name,
            base=home.base,
            network=joined[0],
            networks=tuple(joined[1:]),
            images={s.name: self._facts(release, s) for s in services},
            environments={
                s.name: _own(s, environment(app, s, logins, hosts, owner=owner))
                | said
                | ({} if s.store else {"GEAR_RELEASE": str(release.number)})
                | {"GEAR_SERVICE": s.name}
                for s in services
            },
            addresses=dict(addresses),
            binds=dict(bound),
            probes={s.name: probing.label(s) for s in services},
            names=dict(names or {}),
        )

    def _facts(self, release: Release, service: Service) -> compose.ImageFacts:
        name = self.image(release, service, lambda _: None)
        return imagery.need(name, f"services.{service.name}").facts(name)


def _own(service: Service, env: Mapping[str, str]) -> dict[str, str]:
    """Without what the image says itself: Dockerfiles may refer to what is only there."""
    return {k: v for k, v in env.items()
            if k in service.environment or service.built.environment.get(k) != v}  # fmt: skip


def _stateless(release: Release) -> list[InstanceId]:
    services = release.app.services.values()
    return [i for s in services if s.stateless for i in instances(release, s)]


def _ports(service: Service) -> dict[str, int]:
    """The names under which a service's ports are asked for, and the ports."""
    further = {port.target for port in service.ports} | set(service.expose)
    found = {}
    for name in (service.name, *service.aliases):
        if service.port is not None:
            found[name] = service.port
        found |= {f"{name}:{p}": p for p in further if p != service.port}
    return found
