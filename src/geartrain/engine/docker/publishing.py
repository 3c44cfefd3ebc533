"""An app's part of the edge: what it claims, whether requests go to it, the switch."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

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
from geartrain.render.nginx.claims import FORMAT, Claim, secure

LOOPBACK = "127.0.0.1"
ANY = "0.0.0.0"  # noqa: S104 - what Compose's `ports` without an address mean


def claim(home: DockerHome, release: Release, servers: Mapping[str, Sequence[str]]) -> Claim:
    """What a release takes of the edge, with the certificates that there are now."""
    wanted, policy = sites(release.app), release.app.policy
    every = {address for group in servers.values() for address in group}
    listen = {site.port: _listen(home.host.port(site.port), site) for site in wanted}
    main = main_site(wanted)
    secured = certificates.secured(home.host.certificates, main)
    port = home.host.certificates.settings().port
    return Claim(
        app=home.name,
        release=release.number,
        format=FORMAT,
        domains=tuple(policy.domains),
        listen=listen,
        servers=tuple(sorted(every)),
        drain=seconds(policy.drain),
        tls=secure(listen[main.port], port) if main and secured else (),
        certificates={domain: one.fingerprint for domain, one in secured.items()},
        sites=wanted,
        backends={name: tuple(group) for name, group in servers.items()},
        root=str(_root(home, release)),
        max_body=policy.max_body,
        timeout=seconds(policy.timeout),
        hsts=certificates.hsts(policy),
        tls_port=port,
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

    None when it runs with another configuration than it would start with, or one
    that an older version wrote otherwise, serves a certificate that is not the one
    to serve, or knows an instance under an address that it has no more.
    """
    if front is None or not front.fine or mine.format < FORMAT:
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
        self._home = home
        self._host = home.host
        self._release = release
        self._environ = environ
        self._tested: set[str] = set()
        self._claim = claim(home, release, servers)
        _static(home, release, self._claim.sites)

    def prepare(self) -> tuple[str, int]:
        """Write and test the generation with this part, and have the edge run.

        A generation's name tells its content: one that was tested is not tested again.

        Returns:
            Its name, and the pid of the running nginx. The caller holds the edge lock.

        Raises:
            GearError: another app has what it claims, or nginx refuses it.
        """
        # Under the lock: a domain may have got a certificate meanwhile.
        self._claim = claim(self._home, self._release, self.servers)
        edge.refuse_conflict(self._host, self._claim)
        running = edge.ensure(self._host, self._environ)
        name = edge.prepare(self._host, self._home.name, self._claim)
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
        with self._host.edge_lock():
            name, pid = self.prepare()
            return edge.switch(self._host, pid, name, self._verify)

    def _verify(self) -> str:
        mine = self._claim
        asked = {port: [_asked(a) for a in v] for port, v in mine.listen.items()}
        wanted = mine.sites
        if (main := main_site(wanted)) and mine.tls:
            asked[TLS_PORT] = [_asked(a) for a in mine.tls]
            domains = tuple(mine.certificates)
            wanted = (*wanted, msgspec.structs.replace(main, port=TLS_PORT, domains=domains))
        return nginx.verify(self._release.app, wanted, asked)


def withdraw(home: DockerHome) -> None:
    """Take an app away from the edge, which ends with the last one."""
    host = home.host
    with host.edge_lock():
        claims = edge.claims(host)
        last = not claims.keys() - {home.name}
        if home.name in claims:
            name = edge.prepare(host, home.name, None)
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


def _root(home: DockerHome, release: Release) -> Path:
    return home.host.edge / "static" / home.name / str(release.number)


def _static(home: DockerHome, release: Release, wanted: Sequence[Site]) -> None:
    """The folders that a release's sites serve, where nginx sees them and nothing else."""
    root = _root(home, release)
    folders = {one.static for site in wanted for one in site.locations if one.static is not None}
    source = home.releases / str(release.number) / "src"
    if root.exists():
        return
    half = root.with_name(f"{root.name}.new")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    for folder in sorted(folders):
        if (source / folder).is_dir():
            shutil.copytree(source / folder, half / folder, symlinks=True, dirs_exist_ok=True,
                            copy_function=_link)  # fmt: skip
    half.rename(root)


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
        path = _path(site)
        for name in [d for d in site.domains if not d.startswith("*")] or ["localhost"]:
            if site == main and name in secured:
                port, scheme, usual = host.certificates.settings().port, "https", TLS_PORT
            else:
                port, scheme, usual = host.port(site.port), "http", 80
            found.append(f"{scheme}://{name}" + ("" if port == usual else f":{port}") + path)
    return tuple(dict.fromkeys(found))


def _path(site: Site) -> str:
    """The first path that a site answers, where that is not all of them."""
    paths = [one.path for one in site.locations]
    return "" if "/" in paths else quote(min(paths, default=""))
