"""Names of services in an nginx configuration, turned into groups of live instances.

Sources: nginx.org, `proxy_pass` (what a URI part means is untouched), `upstream`.
"""

from __future__ import annotations

import re

from geartrain.app.finding import nearest
from geartrain.render.nginx.conf import Directive, Word
from geartrain.render.nginx.mapping import Findings, Mapping
from geartrain.render.nginx.servers import server_words
from geartrain.render.nginx.words import expression

PASSES = {
    "proxy_pass", "grpc_pass", "uwsgi_pass", "fastcgi_pass", "scgi_pass", "memcached_pass",
}  # fmt: skip
_TARGET = re.compile(
    r"(?P<scheme>[a-z]+://)?(?P<host>\[[^\]]*\]|[^/:$\s]+|\$\{?\w+\}?)"
    r"(?::(?P<port>[0-9]+))?(?P<rest>(?:[/$?].*)?)",
    re.DOTALL,
)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
# nginx keeps connections to a group open (1.29.7 and later), by default for longer than most
# services do (gunicorn 2 s, uvicorn 5 s), and a POST must not meet a closed one.
KEEPALIVE = Directive(name="keepalive_timeout", args=(Word("1s", "1s"),))
DOCKER_HOST = ("host.docker.internal", "gateway.docker.internal")


class Names:
    """Maps names of one configuration; remembers the groups that it needs."""

    def __init__(
        self,
        mapping: Mapping,
        findings: Findings,
        directives: tuple[Directive, ...],
        *,
        stream: bool = False,
    ) -> None:
        self.mapping = mapping
        self.findings = findings
        self.stream = stream
        self.groups: dict[tuple[str, int | None], str] = {}
        every = list(_all(directives))
        self.own = {one.values[0] for one in every if one.name == "upstream" and one.args}
        self.known = {name.partition(":")[0] for name in mapping.servers}
        held: dict[str, set[str]] = {}
        for one in every:
            if one.name == "set" and len(one.args) == 2:
                held.setdefault(one.values[0], set()).add(one.values[1])
        # `set $up backend;` and later `http://$up:8080`: one value only, so it can be filled in.
        self.variables = {
            name: values.pop()
            for name, values in held.items()
            if len(values) == 1 and values <= self.known
        }

    def passed(self, one: Directive) -> Directive:
        """Map the target of `proxy_pass` and its kin."""
        if not one.args:
            return one
        value = self._target(one, one.values[0], strict=True)
        return one.with_arg(0, value)

    def assigned(self, one: Directive) -> Directive:
        """Map the value of `set` or of an entry of `map`, where it names a service."""
        if not one.args:
            return one
        last = len(one.args) - 1
        value = one.values[last]
        if "://" not in value and ":" not in value:
            return one
        return one.with_arg(last, self._target(one, value, strict=False))

    def server(self, one: Directive) -> list[Directive]:
        """Map `server` of an author's `upstream`: one for each live instance."""
        value = one.first()
        found = _TARGET.fullmatch(value)
        if found is None or found["scheme"] or found["rest"] or value.startswith("unix:"):
            return [one]
        host, port = found["host"], int(found["port"]) if found["port"] else None
        if host in DOCKER_HOST:
            return [one.with_arg(0, value.replace(host, "127.0.0.1", 1))]
        if host not in self.known:
            self._unknown(one, host)
            return [one]
        addresses = self.addresses(host, 80 if port is None else port)
        if not addresses:
            return [one.with_args(_raw("127.0.0.1:9"), _raw("down"))]
        return [one.with_arg(0, address) for address in addresses]

    def addresses(self, service: str, port: int | None) -> tuple[str, ...]:
        """The live instances of a service on one of its ports."""
        exact = self.mapping.servers.get(f"{service}:{port}")
        if exact is not None:
            return exact
        plain = self.mapping.servers.get(service, ())
        if port is None:
            return plain
        return tuple(f"{address.rpartition(':')[0]}:{port}" for address in plain)

    def upstreams(self) -> list[Directive]:
        """The groups that mapped names lead to."""
        written = []
        for (service, port), group in self.groups.items():
            addresses = self.addresses(service, port)
            servers = server_words(addresses) if addresses else ["127.0.0.1:9 down"]
            written.append(
                Directive(
                    name="upstream",
                    args=(Word(group, expression(group)),),
                    block=(
                        Directive(name="zone", args=(Word(group, expression(group)), _raw("64k"))),
                        *(Directive(name="server", args=(_raw(text),)) for text in servers),
                        *([] if self.stream else [KEEPALIVE]),
                    ),
                )
            )
        return written

    def _target(self, one: Directive, value: str, *, strict: bool) -> str:
        if value.startswith("unix:") or "://unix:" in value:
            return value
        found = _TARGET.fullmatch(value)
        if found is None:
            return value
        scheme, host, rest = found["scheme"] or "", found["host"], found["rest"]
        host = self.variables.get(f"${host.strip('${}')}", host) if found["port"] else host
        if host.startswith("$"):
            return value
        if host in DOCKER_HOST:
            return value.replace(host, "127.0.0.1", 1)
        if host in self.own:
            return value
        if host not in self.known:
            if strict:
                self._unknown(one, host)
            return value
        port = int(found["port"]) if found["port"] else _default_port(scheme)
        return f"{scheme}{self._group(host, port)}{rest}"

    def _group(self, service: str, port: int | None) -> str:
        """The group's name is the service's, since nginx sends it on as the Host."""
        if (service, port) not in self.groups:
            taken = {*self.own, *self.groups.values()}
            plain = [service, f"{service}-{port}", *(f"{service}-{port}-{n}" for n in range(9))]
            self.groups[service, port] = next(name for name in plain if name not in taken)
        return self.groups[service, port]

    def _unknown(self, one: Directive, host: str) -> None:
        """A name without a dot can only be a service's; any other is left to DNS."""
        if not _NAME.fullmatch(host) or "." in host or host == "localhost":
            return
        guess = nearest(host, self.known | self.own)
        what = f"{one.name} names {host!r}, which is no service"
        known = ", ".join(sorted(self.known)) or "none"
        self.findings.wrong(
            one,
            f"{what}; did you mean {guess!r}?" if guess else what,
            f"the services here are {known}",
        )


def _default_port(scheme: str) -> int | None:
    if scheme in ("https://", "grpcs://"):
        return 443
    return 80 if scheme in ("http://", "grpc://") else None


def _all(directives: tuple[Directive, ...]) -> list[Directive]:
    found = []
    for one in directives:
        found.append(one)
        found += _all(one.block or ())
    return found


def _raw(text: str) -> Word:
    return Word(text, text)
