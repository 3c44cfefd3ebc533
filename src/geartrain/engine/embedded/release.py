"""What a release is on this engine: a checkout, environments, files, and what runs of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import msgspec

from geartrain.app.credentials import Logins
from geartrain.app.model import Service
from geartrain.app.release import InstanceId, Release, instances
from geartrain.engine import logins
from geartrain.engine.embedded import binaries, proxy
from geartrain.engine.embedded import instances as processes
from geartrain.engine.embedded.addresses import Addresses
from geartrain.engine.embedded.files import place_files
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.python import Prepared, prepare
from geartrain.engine.embedded.supervisor.spec import Spec
from geartrain.engine.embedded.venv import sweep
from geartrain.engine.protocol import Instance, Say
from geartrain.engine.values import Values

UNUSED_ENVIRONMENTS = 30 * 86400.0


class Releases:
    """The releases of a private host, for work on them. Each is given with its secrets put in.

    Args:
        host: the private host.
        environ: environment of whoever acts; secrets may come from it.
        check_out: writes a release's source into a folder.
        values: what its variables and secrets are worth.
    """

    def __init__(
        self,
        host: Host,
        environ: Mapping[str, str],
        check_out: Callable[[Release, Path], None],
        values: Values,
    ) -> None:
        self._host = host
        self._environ = environ
        self._values = values
        self._check_out = check_out
        self._prepared: dict[tuple[int, str], Prepared] = {}
        self._logins: Logins | None = None
        self._turn = threading.RLock()  # build and data services ask at once

    def folder(self, release: Release) -> Path:
        """Where all of it lies."""
        return self._host.releases / str(release.number)

    def source(self, release: Release) -> Path:
        """Its own checkout, made when it is not there."""
        with self._turn:
            self._check_out(release, self.folder(release) / "src")
        return self.folder(release) / "src"

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

    def build(self, release: Release, running: Iterable[Instance], say: Say) -> None:
        """Check the source out and make every Python environment that is missing.

        Args:
            release: the release.
            running: what runs now, whose addresses are taken.
            say: told what is going on.
        """
        folder = self.folder(release)
        folder.mkdir(parents=True, exist_ok=True)
        self.source(release)
        addresses = Addresses(self._host, release)
        addresses.decide(running)
        for service in release.app.services.values():
            if proxy.is_nginx(service):
                places, servers = addresses.of_instances(), addresses.servers()
                for one in instances(release, service):
                    proxy.write(self._host, service, folder, one, places[one], servers)
            elif service.stateless:
                self._prepare(release, service, say)

    def specs(self, release: Release, ids: Iterable[InstanceId]) -> list[Spec]:
        """The processes of its instances."""
        places = Addresses(self._host, release).of_instances()
        return [self._spec(release, one, places[one]) for one in ids]

    def one_off(
        self, release: Release, service: Service, argv: tuple[str, ...], *, owner: bool
    ) -> Spec:
        """A command run once in a service's place, as the owner of the data where that is true."""
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

    def sweep(self, running: Collection[int | None]) -> None:
        """Remove Python environments that no kept release has, nor had lately, and old secrets.

        Args:
            running: releases of which something runs, and None.
        """
        self._host.forget_releases(running)
        self._put_back({*running} - {None})
        sweep(self._host.envs, unused=UNUSED_ENVIRONMENTS)

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

    def _prepare(self, release: Release, service: Service, say: Say) -> Prepared:
        key = (release.number, service.name)
        if key not in self._prepared:
            folder = self.folder(release)
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

    def _spec(self, release: Release, one: InstanceId, address: str) -> Spec:
        service = release.app.services[one.service]
        paths = self._paths(release, service)
        if proxy.is_nginx(service):
            return proxy.spec(self._host, release, one, address)
        prepared = self._prepare(release, service, lambda _: None)
        return processes.spec(self._around(release), one, address, prepared, paths)

    def _around(self, release: Release) -> processes.Surroundings:
        return processes.Surroundings(
            release=release,
            logins=self.logins(release),
            names=Addresses(self._host, release).names(),
            environ=self._environ,
        )

    def _paths(self, release: Release, service: Service) -> dict[str, str]:
        around = self._values.around(release)
        return place_files(self._host, release.app, service, self.folder(release), around)
