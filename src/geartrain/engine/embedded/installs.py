"""Which Python packages a Dockerfile's RUN lines install. Pure."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

# options of pip that matter here and take a value, by the name that uv knows
_KEPT = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
}
# options that take a value and say nothing about what is installed
_VALUED = frozenset(
    {"--trusted-host", "--timeout", "--retries", "--cache-dir", "--target", "-t", "--prefix"}
    | {"--root", "--src", "--cert", "--proxy", "--progress-bar", "--platform", "--python-version"}
    | {"--abi", "--implementation", "--log", "--python", "-p", "--root-user-action"}
    | {"--upgrade-strategy", "--no-binary", "--only-binary", "--link-mode", "--exists-action"}
)
_TOOLS = re.compile(r"(pip|uv|poetry|pipenv|pip-tools|virtualenv|wheel)(\[.*\])?([=<>!~].*)?", re.I)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[\w.,\s-]*\])?\s*([=<>!~@;( ].*)?", re.S)
_SYNC_VALUED = frozenset({"--extra", "--group", "--only-group", "--no-group", "--package"})
_SYNC_PLAIN = frozenset({"--all-extras", "--all-groups", "--all-packages", "--no-default-groups"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Installs:
    """What RUN lines install: requirement files, words, the project itself."""

    files: tuple[str, ...] = ()  # `-r`, paths in the image
    constraints: tuple[str, ...] = ()  # `-c`
    words: tuple[str, ...] = ()  # `fastapi==0.115`
    projects: tuple[str, ...] = ()  # `.`, `./lib[extra]`
    options: tuple[str, ...] = ()  # for `uv pip install`: index options
    pre: bool = False
    sync: tuple[str, ...] | None = None  # `uv sync` was run, with these options
    without_project: bool = False  # every `uv sync` had `--no-install-project`
    poetry: bool = False
    pipenv: bool = False


def read_installs(runs: Sequence[str], more: Sequence[str] = ()) -> Installs:
    """Read RUN lines (shell or JSON form, as written) for what they install.

    Args:
        runs: the lines of the image's own stage.
        more: requirements that are known otherwise (earlier stages, variables).
    """
    found = _Found()
    for run in runs:
        found.folder = ""
        for words in _commands(run):
            found.take(words)
    for word in more:
        found.word(word)
    return found.done()


def _commands(run: str) -> list[list[str]]:
    """The simple commands of a RUN line, as words."""
    text = re.sub(r"^(--[\w-]+(=\S+)?\s+)+", "", run.strip())
    text = text.replace("\\\n", " ")
    if text.startswith("["):
        import json

        try:
            return [[str(word) for word in json.loads(text)]]
        except ValueError:
            pass
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|()\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    try:
        for word in lexer:
            if re.fullmatch(r"[;&|()\n]+", word):
                commands.append([])
            else:
                commands[-1].append(word)
    except ValueError:  # an open quote: the line's own problem
        pass
    return [words for words in commands if words]


class _Found:
    def __init__(self) -> None:
        self.folder = ""  # of `cd backend && pip install ...`
        self.files: list[str] = []
        self.constraints: list[str] = []
        self.words: list[str] = []
        self.projects: list[str] = []
        self.options: list[str] = []
        self.sync: list[str] | None = None
        self.pre = self.poetry = self.pipenv = False
        self.syncs: list[bool] = []

    def take(self, words: list[str]) -> None:
        """Take one simple command."""
        while words and (re.fullmatch(r"\w+=.*", words[0]) or words[0] in ("exec", "sudo", "env")):
            words = words[1:]
        names = [word.rpartition("/")[2] for word in words]
        for at, name in enumerate(names[:4]):
            started = all(re.fullmatch(r"uv|-m|-[A-Za-z]|python[\d.]*", n) for n in names[:at])
            if started and re.fullmatch(r"pip[\d.]*", name) and "install" in names[at:]:
                self._pip(words[names.index("install", at) + 1 :])
                return
        if names[:1] == ["cd"] and len(words) == 2:
            self.folder = posixpath.join(self.folder, words[1])
        elif names[:2] == ["uv", "sync"]:
            self._sync(words[2:])
        elif names[:2] == ["poetry", "install"]:
            self.poetry = True
        elif names[:1] == ["pipenv"] and ("install" in names or "sync" in names):
            self.pipenv = True

    def _pip(self, words: list[str]) -> None:
        waiting = iter(words)
        for word in waiting:
            name, equals, value = word.partition("=")
            if not word.startswith("-"):
                self.word(word)
            elif name == "--pre":
                self.pre = True
            elif re.match(r"-[rcefi][^-=]", word):
                self._option(word[:2], word[2:])
            elif name in _KEPT or name in _VALUED or name in _LISTS:
                self._option(name, value if equals else next(waiting, ""))

    def _option(self, name: str, value: str) -> None:
        if not value or "$" in value:
            return
        if name in ("-r", "--requirement", "--requirements"):
            self.files.append(posixpath.join(self.folder, value))
        elif name in ("-c", "--constraint"):
            self.constraints.append(posixpath.join(self.folder, value))
        elif name in ("-e", "--editable"):
            self.projects.append(posixpath.join(self.folder, value))
        elif name in _KEPT:
            self.options += [_KEPT[name], value]

    def word(self, word: str) -> None:
        """Take one word that names what to install."""
        if "$" in word or _TOOLS.fullmatch(word) or word in ("2", "1", "/dev/null"):
            return
        if re.match(r"\.{0,2}/|\.{1,2}(\[|$)", word):
            self.projects.append(posixpath.join(self.folder, word))
        elif _WORD.fullmatch(word) or re.match(r"(git\+)?https?://", word):
            self.words.append(word)

    def _sync(self, words: list[str]) -> None:
        self.syncs.append("--no-install-project" in words or "--no-install-workspace" in words)
        kept: list[str] = []
        waiting = iter(words)
        for word in waiting:
            name, equals, value = word.partition("=")
            if name in _SYNC_PLAIN:
                kept.append(name)
            elif name in _SYNC_VALUED:
                value = value if equals else next(waiting, "")
                if _NAME.fullmatch(value):
                    kept += [name, value]
        self.sync = kept  # the last one decides

    def done(self) -> Installs:
        """Everything found."""
        return Installs(
            files=tuple(dict.fromkeys(self.files)),
            constraints=tuple(dict.fromkeys(self.constraints)),
            words=tuple(dict.fromkeys(self.words)),
            projects=tuple(dict.fromkeys(self.projects)),
            options=tuple(self.options),
            pre=self.pre,
            sync=None if self.sync is None else tuple(self.sync),
            without_project=bool(self.syncs) and all(self.syncs),
            poetry=self.poetry,
            pipenv=self.pipenv,
        )


_LISTS = frozenset(
    {"-r", "--requirement", "--requirements", "-c", "--constraint", "-e", "--editable"}
)
