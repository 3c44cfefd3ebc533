"""Values that are looked for everywhere, in every form that they may take on the way."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import threading
from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from urllib.parse import quote, quote_plus

from tests.dockerd import DOCKER, docker

CHUNK = 2**24


def canary(what: str) -> str:
    """A value that is nowhere else, with characters that an encoding changes."""
    return f"canary/{what}+{secrets.token_hex(12)}=&ü"


class Search:
    """Looks for values.

    Args:
        values: name → value.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self.forms = {form: name for name, value in values.items() for form in forms(value)}
        self.longest = max(map(len, self.forms))
        self.bytes = 0

    def text(self, said: str | bytes) -> list[str]:
        """The names of the values that a text has."""
        raw = said if isinstance(said, bytes) else said.encode(errors="surrogateescape")
        self.bytes += len(raw)
        return sorted({name for form, name in self.forms.items() if form in raw})

    def stream(self, chunks: Iterator[bytes]) -> list[str]:
        """The same of what comes in parts."""
        found: set[str] = set()
        tail = b""
        for chunk in chunks:
            found.update(self.text(tail + chunk))
            tail = chunk[-self.longest :]
        return sorted(found)

    def file(self, path: Path) -> list[str]:
        """The same of a file and its name."""
        found = set(self.text(os.fsencode(path)))
        with path.open("rb") as file:
            found.update(self.stream(iter(lambda: file.read(CHUNK), b"")))
        return sorted(found)

    def folder(
        self, folder: Path, *, since: float = 0.0, most: float = inf, but: tuple[Path, ...] = ()
    ) -> list[str]:
        """`file: names` for every file below a folder that has a value.

        Args:
            folder: where.
            since: only files that were written since this Unix time.
            most: only files that have at most so many bytes.
            but: folders that are left out.
        """
        found = []
        for place, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if Path(place) / name not in but]
            for name in files:
                path = Path(place) / name
                try:
                    there = path.lstat()
                    told = there.st_mtime >= since and there.st_size <= most
                    if not told or not path.is_file() or path.is_symlink():
                        continue
                    if names := self.file(path):
                        found.append(f"{path}: {', '.join(names)}")
                except OSError:
                    continue  # gone meanwhile
        return found

    def objects(self, repository: Path) -> list[str]:
        """The same of every object of a Git repository, as it is when it is unpacked."""
        words = ["git", f"--git-dir={repository}", "cat-file", "--batch", "--batch-all-objects"]
        return self.output(*words)

    def images(self, *names: str) -> list[str]:
        """The same of images with all their layers and what they say of themselves."""
        said = docker("image", "inspect", *names)
        said += "".join(docker("history", "--no-trunc", name) for name in names)
        return [*self.text(said), *self.output(DOCKER, "save", *names)]

    def output(self, *words: str) -> list[str]:
        """The same of what a program prints."""
        with subprocess.Popen(words, stdout=subprocess.PIPE) as running:
            assert running.stdout
            found = self.stream(iter(lambda: running.stdout.read(CHUNK), b""))
        assert running.returncode == 0
        return found


def forms(value: str) -> set[bytes]:
    """A value as it is, and as it is encoded, at each place of a longer text."""
    raw = value.encode()
    found = {raw, raw.hex().encode(), raw.hex().upper().encode(), repr(value)[1:-1].encode()}
    found |= {quote(value).encode(), quote(value, safe="").encode(), quote_plus(value).encode()}
    found |= {value.encode("unicode_escape"), json.dumps(value)[1:-1].encode()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            text = encode(b"\0" * before + raw)
            found.add(text[4 if before else 0 : len(text) // 4 * 4 - 4])
    return found


class CommandLines:
    """Every command line of the machine, as long as it is open."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.found: set[str] = set()
        self.seen: set[bytes] = set()

    def __enter__(self) -> CommandLines:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.02):
            for entry in Path("/proc").iterdir():
                if entry.name.isdecimal():
                    try:
                        line = (entry / "cmdline").read_bytes()
                    except OSError:
                        continue
                    if line not in self.seen:
                        self.seen.add(line)
                        self.found.update(f"{line!r}: {n}" for n in self._search.text(line))
