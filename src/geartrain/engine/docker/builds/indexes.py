"""The package index that this machine uses, for builds that run on it.

Settings reach a build as files that are mounted while a step runs, so that no layer keeps them.
"""

from __future__ import annotations

import configparser
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

PIP_FILE = "/etc/pip.conf"
UV_FILE = "/etc/uv/uv.toml"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True, kw_only=True, slots=True)
class Indexes:
    """Where packages come from besides, or in place of, the public index."""

    default: str = ""
    extra: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()  # hosts whose certificates are not checked
    uv: str = ""  # the user's own uv.toml

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(url for url in (self.default, *self.extra) if url)

    def files(self) -> dict[str, str]:
        """What a build step sees: path → text; empty where nothing was set."""
        found = {}
        if self.default or self.extra or self.trusted:
            found[PIP_FILE] = self._pip()
            found[UV_FILE] = self._uv()
        if self.uv:
            found[UV_FILE] = self.uv
        return found

    def _pip(self) -> str:
        lines = ["[global]"]
        if self.default:
            lines.append(f"index-url = {self.default}")
        for key, values in (("extra-index-url", self.extra), ("trusted-host", self.trusted)):
            if values:
                lines += [f"{key} =", *(f"    {value}" for value in values)]
        return "\n".join(lines) + "\n"

    def _uv(self) -> str:
        lines = []
        if self.trusted:
            lines.append(f"allow-insecure-host = {json.dumps(list(self.trusted))}")
        for url in self.extra:
            lines += ["[[index]]", f"url = {json.dumps(url)}"]
        if self.default:
            lines += ["[[index]]", f"url = {json.dumps(self.default)}", "default = true"]
        return "\n".join(lines) + "\n"


def of_user(environ: Mapping[str, str]) -> Indexes:
    """The settings of pip and uv, from the environment and pip's and uv's own files.

    Folders of this machine (`file:`) are left out: a build does not see them.
    """
    home = Path(environ.get("HOME", "/root"))
    config = Path(environ.get("XDG_CONFIG_HOME", "") or home / ".config")
    named = [environ["PIP_CONFIG_FILE"]] if environ.get("PIP_CONFIG_FILE") else []
    paths: list[Path | str] = [PIP_FILE, home / ".pip/pip.conf", config / "pip/pip.conf", *named]
    pip = read_pip(_text(Path(path)) for path in paths)

    def setting(name: str, *variables: str) -> tuple[str, ...]:
        given = next((environ[v] for v in variables if environ.get(v)), pip.get(name, ""))
        return tuple(dict.fromkeys(given.split()))

    default = _remote(setting("index-url", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"))
    extra = setting("extra-index-url", "UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")
    return Indexes(
        default=default[0] if default else "",
        extra=_remote(url.partition("=")[2] if _is_named(url) else url for url in extra),
        trusted=setting("trusted-host", "UV_INSECURE_HOST", "PIP_TRUSTED_HOST"),
        uv=_text(config / "uv/uv.toml") or _text(Path(UV_FILE)),
    )


def read_pip(texts: Iterable[str]) -> dict[str, str]:
    """`[global]` and `[install]` of pip's files; later ones win."""
    found: dict[str, str] = {}
    for text in texts:
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(text)
        except configparser.Error:
            continue  # pip says it better, where it is used
        for section in ("global", "install"):
            if parser.has_section(section):
                found |= parser.items(section)
    return found


def loopback(addresses: Iterable[str]) -> bool:
    """Whether one of them is reached on this machine only."""
    hosts = [urlsplit(url if "://" in url else f"//{url}").hostname or "" for url in addresses]
    return any(host in ("localhost", "::1") or host.startswith("127.") for host in hosts)


def _is_named(url: str) -> bool:
    """uv's `name=https://…`."""
    return "=" in url.partition("://")[0]


def _remote(urls: Iterable[str]) -> tuple[str, ...]:
    return tuple(url for url in urls if url.startswith(("http://", "https://")))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace") if path.is_file() else ""
    except OSError:
        return ""
