"""Paths of the official nginx image in an author's configuration, turned into the host's.

No path of the container is ever taken for one of the host: what is not mounted
is not there, as in the container.
"""

from __future__ import annotations

import re
from posixpath import basename, join, normpath

from geartrain.render.nginx.conf import Directive
from geartrain.render.nginx.mapping import Findings, Mapping

PREFIX = "/etc/nginx"
HTML = "/usr/share/nginx/html"
# The file whose path is the first argument; without it the configuration cannot be used.
NEEDED = {
    "ssl_certificate", "ssl_certificate_key", "ssl_client_certificate", "ssl_crl", "ssl_dhparam",
    "ssl_password_file", "ssl_session_ticket_key", "ssl_stapling_file", "ssl_trusted_certificate",
    "auth_basic_user_file", "js_import", "js_path", "auth_jwt_key_file", "secure_link_secret_file",
    *(f"{kind}_ssl_{what}" for kind in ("proxy", "grpc", "uwsgi")
      for what in ("certificate", "certificate_key", "crl", "password_file",
                   "trusted_certificate")),
}  # fmt: skip
ROOTS = {"root", "alias"}
LOGS = {"access_log", "error_log"}
CACHES = {"proxy_cache_path", "fastcgi_cache_path", "uwsgi_cache_path", "scgi_cache_path"}
_VARIABLE = re.compile(r"\$")
_STANDARD = {"/dev/stdout", "/var/log/nginx/access.log"}
_STANDARD_ERRORS = {"/dev/stderr", "stderr", "/var/log/nginx/error.log"}


class Paths:
    """Maps the paths of one configuration."""

    def __init__(self, mapping: Mapping, findings: Findings) -> None:
        self.mapping = mapping
        self.findings = findings
        self.welcome = False

    def host(self, path: str) -> str | None:
        """The host's path for one of the container, or None when nothing is mounted there."""
        plain = normpath(join(PREFIX, path))
        for target, source in sorted(self.mapping.mounts, key=lambda m: -len(m[0])):
            home = target.rstrip("/")
            if plain == home:
                return source
            if plain.startswith(f"{home}/"):
                return join(source, plain[len(home) + 1 :])
        return None

    def needed(self, one: Directive) -> Directive:
        """Map a file that must be there."""
        index = 1 if one.name == "js_import" and one.values[1:2] == ("from",) else 0
        index = 2 if index else 0
        value = one.values[index] if len(one.args) > index else ""
        if not value or value.startswith(("data:", "engine:", "store:")) or value == "off":
            return one
        if "$" in value:
            self.findings.wrong(one, f"{one.name} holds a variable: no file can be found for it")
            return one
        found = self.host(value)
        if found is None:
            self.findings.wrong(
                one,
                f"{one.name} names {value}, and nothing is mounted there",
                "mount the file from the repository, or take the directive out",
            )
            return one
        return one.with_arg(index, found)

    def root(self, one: Directive) -> Directive:
        """Map `root` or `alias`; a place that is not mounted stays empty."""
        value = one.first()
        literal = _VARIABLE.split(value, maxsplit=1)[0]
        rest = value[len(literal) :]
        if ".." in rest.split("/"):
            self.findings.wrong(one, f"{one.name} leaves its folder with '..' after a variable")
            return one
        slash = "/" if literal.endswith("/") and literal != "/" else ""
        found = self.host(literal) if literal else None
        if found is None and normpath(join(PREFIX, literal or "/")) in (HTML, f"{PREFIX}/html"):
            self.welcome = True
            found = join(self.mapping.home, "html")
        if found is None:
            self.findings.changed(one, f"nothing is mounted at {value}, so no file is found there")
            found = join(self.mapping.folder, "nothing")
        return one.with_arg(0, f"{found}{slash}{rest}")

    def log(self, one: Directive) -> Directive:
        """Map `access_log` or `error_log`; the image's own go where Geartrain's logs are."""
        value = one.first()
        if value == "off" or value.startswith(("syslog:", "memory:")):
            return one
        if one.name == "error_log":
            if value in _STANDARD_ERRORS or self.host(value) is None:
                return one.with_arg(0, self.mapping.error_log)
        elif value in _STANDARD:
            own = self.mapping.access_log or join(self.mapping.folder, "access.log")
            return one.with_arg(0, own)
        found = None if "$" in value else self.host(value)
        return one.with_arg(0, found or join(self.mapping.folder, _file_name(value)))

    def cache(self, one: Directive) -> Directive:
        """Give a cache its folder below nginx's own."""
        value = one.first()
        return one.with_arg(0, join(self.mapping.folder, f"cache-{_file_name(value)}"))

    def socket(self, one: Directive) -> Directive:
        """Map `unix:` sockets, which two services share through a volume."""
        value = one.first()
        before, colon, path = value.partition("unix:")
        if not colon:
            return one
        plain, more, rest = path.partition(":")
        found = self.host(plain)
        if found is None:
            self.findings.wrong(one, f"nothing is mounted at the socket {plain}")
            return one
        return one.with_arg(0, f"{before}unix:{found}{more}{rest}")


def _file_name(path: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", basename(path.rstrip("/"))).lstrip(".") or "log"
