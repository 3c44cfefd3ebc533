"""`include`s of an author's configuration, put in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename, join, normpath

from geartrain.app.config_file import ConfigFile
from geartrain.errors import InvalidError
from geartrain.render.nginx.conf import Directive, Word, parse
from geartrain.render.nginx.image import BROUGHT
from geartrain.render.nginx.mapping import Findings
from geartrain.render.nginx.paths import PREFIX

MAX_INCLUDES = 200


class Includes:
    """Reads one configuration from its files, as the container would see them."""

    def __init__(self, sources: dict[str, ConfigFile], findings: Findings) -> None:
        self.sources = sources
        self.findings = findings
        self.brought: set[str] = set()  # files of the image that are included as they are
        self._count = 0

    def read(self, path: str) -> tuple[Directive, ...]:
        """Read a file with all that it includes.

        Raises:
            InvalidError: a file cannot be read as nginx's language, or includes go in a circle.
        """
        source = self.sources[path]
        return tuple(self._expanded(parse(source.text, source.name), (path,)))

    def _expanded(
        self, directives: tuple[Directive, ...], way: tuple[str, ...]
    ) -> Iterator[Directive]:
        for one in directives:
            if one.name == "include" and one.block is None and len(one.args) == 1:
                yield from self._included(one, way)
            elif one.block is not None:
                yield one.with_block(self._expanded(one.block, way))
            else:
                yield one

    def _included(self, one: Directive, way: tuple[str, ...]) -> Iterator[Directive]:
        pattern = normpath(join(PREFIX, one.first()))
        matches = [path for path in sorted(self.sources) if _matches(pattern, path)]
        if not matches and not set("*?[") & set(pattern):
            if pattern.startswith("/etc/letsencrypt/"):
                self.findings.changed(one, f"{pattern} is not there yet, so it is left out")
                return
            self.findings.wrong(
                one,
                f"include names {one.first()}, and no file of the repository is mounted there",
                "mount the file, or take the include out",
            )
        for path in matches:
            source = self.sources[path]
            if path in BROUGHT and not source.name:
                name = basename(path)
                self.brought.add(name)
                yield Directive(name="include", args=(Word(name, name),), place=one.place)
                continue
            self._count += 1
            if path in way or self._count > MAX_INCLUDES:
                what = f"{source.name or path} includes itself" if path in way else "too many files"
                raise InvalidError(what, where=str(one.place or ""))
            yield from self._expanded(parse(source.text, source.name), (*way, path))


def _matches(pattern: str, path: str) -> bool:
    """A glob in which `*` stays within a folder (glob(3))."""
    regex = re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return re.fullmatch(regex, path) is not None
