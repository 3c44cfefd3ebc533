"""On which addresses an author's servers listen here, and what becomes of TLS without its files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from geartrain.render.nginx.conf import Directive, Word
from geartrain.render.nginx.mapping import Findings, Mapping
from geartrain.render.nginx.paths import Paths

# Options of `listen` that belong to the address in the container, or to modules not built in.
DROPPED = re.compile(r"http2|quic|ipv6only=.*|bind|so_keepalive=.*|fastopen=.*|setfib=.*")
_PORT = re.compile(r"(?:(?P<host>\[[^\]]*\]|[^:\[\]]*):)?(?P<port>[0-9]+)")


@dataclass
class Listen:
    """One `listen` of an author."""

    directive: Directive
    port: int
    options: tuple[Word, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """Its options."""
        return tuple(option.value for option in self.options)

    @property
    def tls(self) -> bool:
        """True when callers speak TLS here."""
        return "ssl" in self.values or "quic" in self.values


@dataclass
class Server:
    """A `server` block with its listens apart from the rest."""

    directive: Directive
    listens: list[Listen]
    rest: list[Directive]
    tls: bool = True  # its certificate's files are there
    taken: list[Listen] = field(default_factory=list)  # from a server that only redirected to TLS

    def names(self) -> set[str]:
        """The host names that it answers to."""
        return {v for d in self.rest if d.name == "server_name" for v in d.values} or {"_"}

    def plain(self) -> list[Listen]:
        """Where it listens without TLS."""
        return [listen for listen in self.listens if not listen.tls]


def ports(servers: Iterable[Server]) -> tuple[int, ...]:
    """The container's ports that these servers listen on, TLS left out where its files miss."""
    found = [one.port for s in servers for one in (s.listens if s.tls else s.plain()) + s.taken]
    return tuple(dict.fromkeys(found))


def split(one: Directive, findings: Findings) -> Server:
    """Take a `server` block apart; without a `listen` it listens on 80 (nginx.org)."""
    listens, rest = [], []
    for inner in one.block or ():
        if inner.name != "listen":
            rest.append(inner)
            continue
        found = _PORT.fullmatch(inner.first())
        if inner.first().startswith("unix:"):
            findings.changed(inner, "unix sockets are not listened on")
        elif found is not None:
            listens.append(Listen(inner, int(found["port"]), inner.args[1:]))
        else:
            listens.append(Listen(inner, 80, inner.args[1:]))
    if not any(inner.name == "listen" for inner in one.block or ()):
        listens.append(Listen(one, 80, ()))
    return Server(one, listens, rest)


def without_missing_tls(
    servers: list[Server],
    around: tuple[Directive, ...],
    paths: Paths,
    exists: Callable[[str], bool],
    findings: Findings,
) -> list[Server]:
    """Drop TLS where certificates are not there yet; what it would serve is served plainly.

    A server that only sends callers on to TLS makes room for the one it sends them to.
    """
    for server in servers:
        certificates = _certificates(server.rest) or _certificates(around)
        there = [paths.host(c) for c in certificates if "$" not in c]
        server.tls = bool(certificates) and all(p is not None and exists(p) for p in there)
        if not server.tls:
            if any(one.tls for one in server.listens):
                what = "its certificate is not there, so it is served without TLS"
                findings.changed(server.directive, what)
            server.rest = [d for d in server.rest if not d.name.startswith("ssl")]
            server.rest = [d for d in server.rest if d.name != "http2"]
            if any(one.tls for one in server.listens):
                server.rest = [d for d in server.rest if not (d.name == "if" and _redirects([d]))]
    left = list(servers)
    for bare in [s for s in servers if not s.tls and not s.plain() and s.listens]:
        for redirect in [s for s in servers if s.plain() and _redirects(s.rest)]:
            if bare.names() & redirect.names():
                bare.taken += redirect.plain()
                left = [s for s in left if s is not redirect]
    return left


def listening(
    server: Server, mapping: Mapping, findings: Findings, taken: set[str]
) -> Directive | None:
    """Put a server together again on this host's addresses; None when nothing reaches it.

    Args:
        server: its parts.
        mapping: the addresses by port.
        findings: told what is left out.
        taken: addresses whose socket options are given already; added to.
    """
    wanted = (server.listens if server.tls else server.plain()) + server.taken
    addresses: dict[str, dict[str, Word]] = {}
    for listen in wanted:
        if "quic" in listen.values:
            continue
        if listen.port not in mapping.listen:
            findings.changed(
                listen.directive, f"port {listen.port} is not published, so it is left out"
            )
            continue
        for address in mapping.listen[listen.port]:
            options = addresses.setdefault(address, {})
            for option in listen.options:
                if not DROPPED.fullmatch(option.value):
                    options[option.value] = option
    if not addresses:
        return None
    lines = []
    for address, options in addresses.items():
        # Socket options stand once for each address.
        first = address not in taken
        kept = [w for v, w in options.items()
                if first or v in ("ssl", "default_server", "proxy_protocol")]  # fmt: skip
        taken.add(address)
        place = next((one.directive.place for one in wanted), server.directive.place)
        word = Word(address, address)
        lines.append(Directive(name="listen", args=(word, *kept), place=place))
    asked = any("http2" in one.values for one in wanted)
    if server.tls and asked and all(d.name != "http2" for d in server.rest):
        lines.append(Directive(name="http2", args=(Word("on", "on"),)))
    return server.directive.with_block([*lines, *server.rest])


def _certificates(directives: Iterable[Directive]) -> list[str]:
    names = ("ssl_certificate", "ssl_certificate_key")
    return [d.first() for d in directives if d.name in names and d.args]


def _redirects(directives: Iterable[Directive]) -> bool:
    for one in directives:
        if one.name == "return" and any(v.startswith("https://") for v in one.values):
            return True
        if one.name == "rewrite" and any(v.startswith("https://") for v in one.values):
            return True
        whole = one.name == "if" or (one.name == "location" and one.values == ("/",))
        if whole and _redirects(one.block or ()):
            return True
    return False
