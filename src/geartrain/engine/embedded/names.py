"""Names of services where a text has a host become addresses. Pure.

Names resolve inside a release to that release's own instances. Python programs
ask the start-up hook; what resolves in C (libpq, for one) finds an address here.
A word that merely equals a service's name (`QUEUE=redis`) is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_AUTHORITY = re.compile(r"((?<![^\s=:,;\"'(\[])//)([^/\s\"'?#\\]+)")
_SAYS_HOST = re.compile(
    r"(?:^|_)(?:HOST|HOSTS|HOSTNAME|HOSTNAMES|SERVER|SERVERS|ADDR|ADDRS|ADDRESS|ADDRESSES|ENDPOINT"
    r"|ENDPOINTS|URL|URI)$|HOST(?:ADDR|NAME)?$"
)
_SAYS_OTHER = re.compile(
    r"ALLOW|TRUST|CORS|ORIGIN|IMAGE|TAG|VERSION|VIRTUAL_HOST|(?:^|_)(?:PASS|PASSWORD|PASSWD|PW|SECRET"
    r"|TOKEN|KEY|USER|USERNAME|AUTH|CREDENTIALS?|DATABASE|DB|DBNAME|DB_NAME)$"
)
_OPTION = re.compile(r"-h|--?[\w.-]*(?:host|hostname|server|addr|address|endpoint|url|uri)", re.I)


class Names:
    """Service names and their addresses, ready to be found in texts."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = {name: to for name, to in names.items() if not _numeric(name)}
        either = "|".join(re.escape(n) for n in sorted(self._names, key=len, reverse=True))
        name = rf"(?P<name>{either})" if either else r"(?P<name>(?!))"
        end = r"(?![\w.-])"
        # `//user:pw@` is cut off before these are asked
        self._host = re.compile(rf"(?P<head>^|,)(?:{name})(?P<tail>:\d{{1,5}})?(?=,|$)")
        self._at = re.compile(rf"(?P<head>@)(?:{name})(?P<tail>){end}(?=[:/?#,\s\"')]|$)")
        self._port = re.compile(
            rf"(?P<head>(?<![^\s,=;\"'(\[])){name}(?P<tail>:\d{{2,5}}(?![\w.@:-]))"
        )
        self._key = re.compile(
            rf"(?P<head>(?i:\b(?:host|hostname|hostaddr|server|data source)"
            rf"(?:\s*=\s*|\"\s*:\s*\")))(?:{name})(?P<tail>){end}"
        )
        self._shell = re.compile(
            rf"(?P<head>(?<!\S)(?:--?[\w.-]*(?i:host|hostname|server|addr|address|endpoint)(?:=|\s+)"
            rf"|-h\s*|nc\s+(?:-\S+\s+)*)[\"']?)(?:{name})(?P<tail>){end}(?=[\s\"';&|)]|$)"
        )

    def in_text(self, text: str) -> str:
        """Change names that stand where only a host can stand."""
        if not self._names:
            return text
        text = _AUTHORITY.sub(self._authority, text)
        for pattern in (self._at, self._port, self._key):
            text = pattern.sub(self._swap, text)
        return text

    def in_line(self, line: str) -> str:
        """Change names in a line for a shell, where options and values are one text."""
        return self._shell.sub(self._swap, self.in_text(line)) if self._names else line

    def in_word(self, word: str, option: str) -> str:
        """Change names in one argument; `option` is the `--option` before it, or ""."""
        if option and _OPTION.fullmatch(option):
            return self._list(word)
        head, equals, value = word.partition("=")
        if equals and _OPTION.fullmatch(head):
            return f"{head}={self._list(value)}"
        return self.in_text(word)

    def in_variable(self, name: str, value: str) -> str:
        """Change names in the value of the environment variable `name` (upper case)."""
        if _SAYS_OTHER.search(name):
            return _AUTHORITY.sub(self._authority, value)
        return self._list(value) if _SAYS_HOST.search(name) else self.in_text(value)

    def _list(self, value: str) -> str:
        """A host, or several with commas between."""
        if self._names and all(
            self._host.fullmatch(part.strip()) or not re.search(r"[@/\s]", part.strip())
            for part in value.split(",")
        ):
            return re.sub(r"[^,\s]+", lambda part: self._host.sub(self._swap, part[0]), value)
        return self.in_text(value)

    def _authority(self, found: re.Match[str]) -> str:
        """The part of a URL between `//` and the path: `user:password@host:port,host:port`."""
        user, at, hosts = found[2].rpartition("@")
        return found[1] + user + at + self._host.sub(self._swap, hosts)

    def _swap(self, found: re.Match[str]) -> str:
        return f"{found['head']}{self._names[found['name']]}{found['tail'] or ''}"


def _numeric(name: str) -> bool:
    """Whether a name reads like an address, which no service's name may shadow."""
    return not name or re.fullmatch(r"[\d.]+", name) is not None
