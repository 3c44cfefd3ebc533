"""An app's own nginx configuration, made to run on this host with the meaning it has in Docker.

The files are read as the official image would see them; names of services
become groups of live instances, container paths the host's, ports the host's
addresses. What would load code from outside the repository is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from posixpath import join

from msgspec import structs

from geartrain.errors import InvalidError, Problem
from geartrain.render.files import File, Tree
from geartrain.render.nginx.conf import Directive, Line, Word, parse, write
from geartrain.render.nginx.edge import admin_server
from geartrain.render.nginx.image import BROUGHT, MAIN, WELCOME_PAGE, complete
from geartrain.render.nginx.include import Includes
from geartrain.render.nginx.listening import (
    Server,
    listening,
    ports,
    split,
    without_missing_tls,
)
from geartrain.render.nginx.mapping import Adapted, Findings, Mapping, lines_of
from geartrain.render.nginx.names import KEEPALIVE, PASSES, Names
from geartrain.render.nginx.paths import CACHES, LOGS, NEEDED, ROOTS, Paths
from geartrain.render.nginx.words import time, word

# Said by Geartrain, or without meaning outside the container.
OURS = {
    "user", "pid", "daemon", "master_process", "worker_processes", "worker_shutdown_timeout",
    "lock_file", "working_directory", "debug_points", "worker_cpu_affinity", "worker_priority",
    "keepalive_min_timeout", "client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path",
    "uwsgi_temp_path", "scgi_temp_path",
}  # fmt: skip
REFUSED = re.compile(
    r"load_module|perl(_.*)?|.*_by_lua(_block|_file)?|lua_.*|ssl_engine|google_perftools_profiles"
    r"|dav_methods|create_full_put_path"
)
# Modules that the pip-installed nginx is built without, and that only save work.
LACKING = re.compile(r"gzip_static|gunzip|gunzip_buffers|brotli.*|zstd.*|http3.*|quic_.*")
DATA_BLOCKS = {"types", "geo", "split_clients", "charset_map"}
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def adapt(mapping: Mapping, exists: Callable[[str], bool]) -> Adapted:
    """Make an author's nginx configuration run on this host.

    Args:
        mapping: its files, and how paths, names and ports are called here.
        exists: tells whether a path of the host is there (certificates may come later).

    Raises:
        InvalidError: all that cannot run, each with the author's file and line.
    """
    findings = Findings()
    includes = Includes(complete(mapping.sources, mapping.environment), findings)
    author = _Author(mapping, findings, exists)
    written = tuple(author.main(includes.read(MAIN)))
    if findings.problems:
        problems = list(findings.problems)
        raise InvalidError("the app's nginx configuration cannot be used", problems=problems)
    head = Line("# Written by Geartrain from the app's own nginx configuration.", None)
    text, places = lines_of([head, *write(written)])
    files: Tree = {"nginx.conf": File(0o644, text)}
    for path, brought in BROUGHT.items():
        name = path.rpartition("/")[2]
        if name in includes.brought:
            files[name] = File(0o644, brought)
    if author.paths.welcome:
        files["html/index.html"] = File(0o644, WELCOME_PAGE)
    return Adapted(
        files=files,
        listens=tuple(sorted(author.listens)),
        notices=tuple(findings.notices),
        lines=places,
    )


def wanted_ports(mapping: Mapping, exists: Callable[[str], bool]) -> tuple[int, ...]:
    """The container's ports that a configuration listens on; `mapping.listen` is not read.

    Raises:
        InvalidError: the configuration cannot be read.
    """
    findings = Findings()
    includes = Includes(complete(mapping.sources, mapping.environment), findings)
    author = _Author(mapping, findings, exists)
    found: list[Server] = []
    for one in includes.read(MAIN):
        if one.name == "http":
            found += author.servers(one.block or ())
        elif one.name == "stream":
            found += [split(s, findings) for s in one.block or () if s.name == "server"]
    return ports(found)


def map_error(text: str, adapted: Adapted) -> Problem:
    """What `nginx -t` said, at the line that the app's author wrote.

    Args:
        text: nginx's standard error.
        adapted: the configuration that it tested.
    """
    lines = [line for line in text.splitlines() if "[emerg]" in line] or text.splitlines()
    said = re.sub(r"^.*?\[emerg\]\s*(?:\d+#\d+:\s*)?", "", lines[0]) if lines else "nginx failed"
    remedy = ""
    if "unknown directive" in said:
        remedy = "the nginx that pip installs has no module for it: take it out, or use Docker"
    found = re.search(r"\s+in (\S+):(\d+)\s*$", said)
    if found is None:
        return Problem(what=said, remedy=remedy)
    number = int(found[2])
    place = adapted.lines[number - 1] if 0 < number <= len(adapted.lines) else None
    where = str(place) if place is not None and found[1].endswith("nginx.conf") else ""
    return Problem(what=said[: found.start()], where=where, remedy=remedy)


class _Author:
    """Walks one configuration."""

    def __init__(self, mapping: Mapping, findings: Findings, exists: Callable[[str], bool]) -> None:
        self.mapping = mapping
        self.findings = findings
        self.exists = exists
        self.paths = Paths(mapping, findings)
        self.listens: set[str] = set()

    def main(self, directives: tuple[Directive, ...]) -> Iterator[Directive]:
        """The whole file, with what Geartrain says of its own before it."""
        mapping = self.mapping
        yield from _own(
            f"user {word(mapping.user, 'user')};" if mapping.user else "",
            f"daemon off; pid {word(join(mapping.folder, 'nginx.pid'), 'folder')};",
            "worker_processes auto;",
            f"worker_shutdown_timeout {time(mapping.drain)};",
            ""
            if any(one.name == "error_log" for one in directives)
            else f"error_log {word(mapping.error_log, 'path')} warn;",
            "" if any(one.name == "events" for one in directives) else "events {}",
        )
        for one in directives:
            if one.name == "http" and one.block is not None:
                yield one.with_block(self.http(one.block))
            elif one.name == "stream" and one.block is not None:
                yield one.with_block(self.stream(one.block))
            elif one.name == "mail":
                self.findings.wrong(one, "mail proxies are not served", "take the block out")
            else:
                yield from self.one(one, None)
        if mapping.admin and all(one.name != "http" for one in directives):
            yield from _own("http {", *admin_server(mapping.admin, mapping.generation), "}")

    def http(self, directives: tuple[Directive, ...]) -> Iterator[Directive]:
        """The `http` block: our settings, the groups, then the author's own."""
        mapping = self.mapping
        names = Names(mapping, self.findings, directives)
        log = word(mapping.access_log or join(mapping.folder, "access.log"), "path")
        yield from _own(
            *(
                f"{kind}_temp_path {word(join(mapping.folder, f'{kind}_temp'), 'folder')};"
                for kind in TEMPORARY
            ),
            f"keepalive_min_timeout {time(min(mapping.keepalive_min, mapping.drain / 2))};",
            "" if any(one.name == "access_log" for one in directives) else f"access_log {log};",
        )
        servers = self.servers(directives)
        left = {id(server.directive): server for server in servers}
        plain = all(not server.tls for server in servers)
        body = []
        for one in directives:
            if one.name != "server":
                # nginx reads certificates for all servers even when no server uses TLS.
                if not (plain and one.name.startswith("ssl_")):
                    body += list(self.one(one, names))
                continue
            server = left.get(id(one))
            placed = server and listening(server, mapping, self.findings, self.listens)
            if placed:
                body += list(self.one(placed, names))
        yield from names.upstreams()
        yield from body
        if mapping.admin:
            yield from _own(*admin_server(mapping.admin, mapping.generation))

    def stream(self, directives: tuple[Directive, ...]) -> Iterator[Directive]:
        """The `stream` block: TCP servers on this host's addresses."""
        names = Names(self.mapping, self.findings, directives, stream=True)
        body: list[Directive] = []
        for one in directives:
            if one.name != "server" or one.block is None:
                body += list(self.one(one, names))
                continue
            server = split(one, self.findings)
            placed = listening(server, self.mapping, self.findings, self.listens)
            if placed:
                body += list(self.one(placed, names))
        yield from names.upstreams()
        yield from body

    def servers(self, directives: tuple[Directive, ...]) -> list[Server]:
        """The `server` blocks that remain, with their listens apart."""
        blocks = [split(one, self.findings) for one in directives if one.name == "server"]
        return without_missing_tls(blocks, directives, self.paths, self.exists, self.findings)

    def one(self, one: Directive, names: Names | None) -> Iterator[Directive]:
        """One directive with all inside it, in any context but `main`'s own blocks."""
        if REFUSED.fullmatch(one.name):
            self.findings.wrong(
                one, f"{one.name} is not allowed: it loads or writes what the edge must not"
            )
        elif one.name in OURS:
            return
        elif LACKING.fullmatch(one.name):
            self.findings.changed(one, f"{one.name} is left out: its module is not built in")
        elif one.name == "stub_status":
            self.findings.changed(one, "stub_status is left out: its module is not built in")
            yield structs.replace(one, name="return", written="", args=(Word("404", "404"),))
        elif one.name == "resolver":
            yield from self._resolver(one)
        elif one.name in DATA_BLOCKS and one.block is not None:
            yield one
        elif one.name == "map" and one.block is not None and names is not None:
            yield one.with_block(names.assigned(entry) for entry in one.block)
        elif one.name == "upstream" and one.block is not None and names is not None:
            yield one.with_block(self._upstream(one.block, names))
        elif one.block is not None:
            yield one.with_block(found for inner in one.block for found in self.one(inner, names))
        else:
            yield self._simple(one, names)

    def _upstream(self, block: tuple[Directive, ...], names: Names) -> Iterator[Directive]:
        for one in block:
            if one.name == "server":
                for server in names.server(self.paths.socket(one)):
                    # `resolve` follows a name's addresses; these are addresses.
                    kept = [a for a in server.args if a.value != "resolve"]
                    yield server.with_args(*kept)
            elif one.name == "resolver":
                yield from self._resolver(one)
            else:
                yield one
        if not names.stream and all(one.name != "keepalive_timeout" for one in block):
            yield KEEPALIVE

    def _simple(self, one: Directive, names: Names | None) -> Directive:
        if one.name in PASSES and names is not None:
            return names.passed(self.paths.socket(one))
        if one.name == "set" and names is not None:
            return names.assigned(one)
        if one.name in NEEDED:
            return self.paths.needed(one)
        if one.name in ROOTS:
            return self.paths.root(one)
        if one.name in LOGS:
            return self.paths.log(one)
        if one.name in CACHES:
            return self.paths.cache(one)
        return one

    def _resolver(self, one: Directive) -> Iterator[Directive]:
        """Docker's own DNS is not here; names of services need none."""
        docker = [arg for arg in one.args if arg.value.partition(":")[0] == "127.0.0.11"]
        if not docker:
            yield one
            return
        others = [arg for arg in one.args if arg not in docker]
        addresses = [arg for arg in others if "=" not in arg.value]
        stand_ins = [Word(address, address) for address in self.mapping.resolvers]
        if addresses or stand_ins:
            yield one.with_args(*addresses, *stand_ins, *(a for a in others if "=" in a.value))


def _own(*lines: str) -> tuple[Directive, ...]:
    return parse("\n".join(lines), "")
