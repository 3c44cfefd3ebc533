"""An app's part of the edge: what it claims, whether requests go to it, the switch."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from geartrain.app.model import Role
from geartrain.app.published import TLS_PORT
from geartrain.app.release import Release
from geartrain.app.routes import Site, main_site, sites
from geartrain.app.units import seconds
from geartrain.engine import certificates, nginx
from geartrain.engine.docker import edge
from geartrain.engine.docker.host import DockerHome, DockerHost
from geartrain.engine.docker.observing import Container
from geartrain.engine.listeners import Holder, holder
from geartrain.engine.protocol import Instance, State
from geartrain.errors import GearError
from geartrain.render.nginx.shared import Claim, app_file
from geartrain.render.nginx.tls import Tls

LOOPBACK = "127.0.0.1"
ANY = "0.0.0.0"  # noqa: S104 - what Compose's `ports` without an address mean


def claim(home: DockerHome, release: Release, servers: Mapping[str, Sequence[str]]) -> Claim:
    """What a release takes of the edge."""
    wanted = sites(release.app)
    every = {address for group in servers.values() for address in group}
    main = main_site(wanted)
    secured = certificates.secured(home.host.certificates, main)
    port = home.host.certificates.settings().port
    return Claim(
        app=home.name,
        release=release.number,
        domains=tuple(release.app.policy.domains),
        listen={site.port: _listen(home.host.port(site.port), site) for site in wanted},
        servers=tuple(sorted(every)),
        drain=seconds(release.app.policy.drain),
        tls=_listen(port, main) if main and secured else (),
        certificates={domain: one.fingerprint for domain, one in secured.items()},
    )


def _listen(port: int, site: Site) -> tuple[str, ...]:
    """All addresses of the machine, unless the Compose file names some."""
    if site.host_ips:
        return tuple(f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip in site.host_ips)
    both = [f"{ANY}:{port}"]
    return tuple([*both, f"[::]:{port}"] if Path("/proc/net/if_inet6").exists() else both)


def check(home: DockerHome, release: Release) -> None:
    """Raise when another app, or another program, has what a release wants of the edge."""
    mine = claim(home, release, {})
    edge.refuse_conflict(home.host, mine)
    own = master(home.host)
    for addresses in (*mine.listen.values(), mine.tls):
        for address in addresses:
            ip, _, port = address.rpartition(":")
            who = holder(ip.strip("[]"), int(port))
            if who is not None and not (own and is_edges(home.host, who, own, address)):
                raise GearError(
                    f"port {port} is held by {who}",
                    remedy="stop that program; nginx is to answer there",
                )


def is_edges(host: DockerHost, who: Holder, own: int, address: str) -> bool:
    """Whether the running edge, whose pid is `own`, holds an address; so do its workers."""
    if who.pid is None:
        # Whoever owns the host may not look into the edge's processes, which are root's.
        known = ((*one.listen.values(), one.tls) for one in edge.claims(host).values())
        return any(address in addresses for each in known for addresses in each)
    return who.pid == own or who.pid in nginx.workers(own)


def master(host: DockerHost) -> int:
    """The pid of the running edge, or 0."""
    found = edge.find(host)
    return found.state.pid if found and found.running else 0


def front(host: DockerHost) -> Instance | None:
    """The edge as an instance."""
    found = edge.find(host)
    if found is None:
        return None
    answers = found.running and bool(nginx.generation(host.facts.admin))
    ip, _, port = host.facts.admin.rpartition(":")
    return Instance(
        id=edge.IDENTITY,
        role=Role.EDGE,
        state=State.READY if answers else State.UNHEALTHY,
        address=ip,
        port=int(port),
        pid=found.state.pid,
        version=found.config.image,
        since=found.started,
        restarts=found.restarts,
    )


def routed(
    host: DockerHost, mine: Claim, front: Instance | None, found: Sequence[Container]
) -> int | None:
    """The release that nginx sends requests to, by its own word.

    None when it runs with another configuration than it would start with, serves
    a certificate that is not the one to serve, or knows an instance under an
    address that it has no more.
    """
    if front is None or not front.fine:
        return None
    if nginx.generation(host.facts.admin) != edge.current(host):
        return None
    there = host.certificates.find(mine.domains)
    port = f":{host.certificates.settings().port}"
    if {d: one.fingerprint for d, one in there.items()} != mine.certificates or not all(
        address.endswith(port) for address in mine.tls
    ):
        return None
    serving = {
        one.address
        for one in found
        if one.instance is not None and one.instance.release == mine.release and one.address
    }
    known = {address.rpartition(":")[0] for address in mine.servers}
    return mine.release if known <= serving or not serving else None


class Part:
    """A release's part of the edge's configuration.

    Args:
        home: the app's home.
        release: the release.
        servers: service → `address:port` of its instances.
        environ: the caller's environment.
    """

    def __init__(
        self,
        home: DockerHome,
        release: Release,
        servers: Mapping[str, tuple[str, ...]],
        environ: Mapping[str, str],
    ) -> None:
        self.servers = servers
        self._host = home.host
        self._app = release.app
        self._sites = sites(release.app)
        self._claim = claim(home, release, servers)
        self._environ = environ
        self._tested: set[str] = set()
        root = _static(home, release, self._sites)
        binding = edge.binding(
            home.host, "app", listen=self._claim.listen, servers=dict(servers), root=str(root)
        )
        self._tls = _tls(home.host, release, self._claim, main_site(self._sites))
        self._text = app_file(
            release.app, home.name, release.number, self._sites, binding, self._tls
        )

    def prepare(self) -> tuple[str, int]:
        """Write and test the generation with this part, and have the edge run.

        A generation's name tells its content: one that was tested is not tested again.

        Returns:
            Its name, and the pid of the running nginx. The caller holds the edge lock.

        Raises:
            GearError: another app has what it claims, or nginx refuses it.
        """
        edge.refuse_conflict(self._host, self._claim)
        running = edge.ensure(self._host, self._environ)
        name = edge.prepare(self._host, self._claim, self._text)
        if name not in self._tested and (complaint := edge.test(self._host, name)):
            raise GearError(
                f"nginx refuses the configuration: {complaint}",
                remedy="this is a fault of Geartrain: report it; nothing was changed",
            )
        self._tested.add(name)
        return name, running.state.pid

    def ahead(self) -> None:
        """Do what can be done before the instances are ready. What fails is told by `switch`."""
        with contextlib.suppress(GearError), self._host.edge_lock():
            self.prepare()

    def switch(self) -> list[int]:
        """Send the app's requests there. Returns the workers that may have older ones.

        Raises:
            GearError: nginx refuses, or does not reach the instances; the one before goes on.
        """
        asked = {port: [_asked(a) for a in v] for port, v in self._claim.listen.items()}
        wanted = self._sites
        if (main := main_site(wanted)) and self._claim.tls:
            asked[TLS_PORT] = [_asked(a) for a in self._claim.tls]
            domains = tuple(self._claim.certificates)
            wanted = (*wanted, msgspec.structs.replace(main, port=TLS_PORT, domains=domains))
        with self._host.edge_lock():
            name, pid = self.prepare()
            return edge.switch(
                self._host, pid, name, lambda: nginx.verify(self._app, wanted, asked)
            )


def _tls(host: DockerHost, release: Release, claim: Claim, main: Site | None) -> Tls | None:
    """What is served over TLS, a server for each certificate."""
    if main is None or not claim.tls:
        return None
    store = host.certificates
    return Tls(
        site=main.port,
        listen=claim.tls,
        port=store.settings().port,
        served=certificates.served(store, claim.certificates),
        hsts=certificates.hsts(release.app.policy),
    )


def withdraw(home: DockerHome) -> None:
    """Take an app away from the edge, which ends with the last one."""
    host = home.host
    with host.edge_lock():
        claims = edge.claims(host)
        last = not claims.keys() - {home.name}
        if home.name in claims:
            name = edge.prepare(host, Claim(app=home.name, release=0), None)
            if not last and (pid := master(host)):
                edge.switch(host, pid, name, lambda: "")
            else:
                edge.point(host, name)
        if last:
            edge.remove(host)


def _asked(address: str) -> str:
    """Where this machine itself asks an address that it listens on."""
    ip, _, port = address.rpartition(":")
    return f"{LOOPBACK if ip == ANY else '[::1]' if ip == '[::]' else ip}:{port}"


def _static(home: DockerHome, release: Release, wanted: Sequence[Site]) -> Path:
    """The folders that a release's sites serve, where nginx sees them and nothing else."""
    root = home.host.edge / "static" / home.name / str(release.number)
    folders = {one.static for site in wanted for one in site.locations if one.static is not None}
    source = home.releases / str(release.number) / "src"
    if root.exists():
        return root
    half = root.with_name(f"{root.name}.new")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    for folder in sorted(folders):
        if (source / folder).is_dir():
            shutil.copytree(source / folder, half / folder, symlinks=True, dirs_exist_ok=True,
                            copy_function=_link)  # fmt: skip
    half.rename(root)
    return root


def _link(source: str, to: str, *, follow_symlinks: bool = True) -> str:  # noqa: ARG001 - as shutil calls it
    """Hard link, or copy where the file systems differ."""
    try:
        os.link(source, to, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, to, follow_symlinks=False)
    return to


def sweep(home: DockerHome, keep: set[int]) -> None:
    """Remove the served folders of releases that are gone."""
    mine = edge.claims(home.host).get(home.name)
    kept = {str(n) for n in keep} | ({str(mine.release)} if mine else set())
    folder = home.host.edge / "static" / home.name
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)


def urls(host: DockerHost, wanted: Sequence[Site]) -> tuple[str, ...]:
    """Where a person finds the app."""
    found = []
    main = main_site(wanted)
    secured = certificates.secured(host.certificates, main)
    for site in wanted:
        for name in [d for d in site.domains if not d.startswith("*")] or ["localhost"]:
            if site == main and name in secured:
                port, scheme, usual = host.certificates.settings().port, "https", TLS_PORT
            else:
                port, scheme, usual = host.port(site.port), "http", 80
            found.append(f"{scheme}://{name}" + ("" if port == usual else f":{port}"))
    return tuple(dict.fromkeys(found))
