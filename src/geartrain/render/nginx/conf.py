"""nginx's configuration language: text into directives that know their line, and back.

Source: `ngx_conf_read_token` in nginx's `src/core/ngx_conf_file.c`. Pure and in
memory, since what is read may be a filled template that no file holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, structs

from geartrain.errors import InvalidError
from geartrain.render.nginx.words import expression

MAX_DEPTH = 32
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n"}


class Place(Struct, frozen=True):
    """A line of a file that the app's author wrote."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Word(Struct, frozen=True):
    """One word: what it says, and how it is written."""

    value: str
    raw: str


class Directive(Struct, frozen=True, kw_only=True):
    """`name args;`, or `name args { block }`. `place` is None for what Geartrain adds."""

    name: str
    args: tuple[Word, ...] = ()
    written: str = ""  # the name as its author wrote it: an entry of `map` may be quoted
    block: tuple[Directive, ...] | None = None
    place: Place | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """What the arguments say."""
        return tuple(arg.value for arg in self.args)

    def first(self) -> str:
        """What the first argument says, or nothing."""
        return self.args[0].value if self.args else ""

    def with_arg(self, index: int, value: str) -> Directive:
        """Say something else in one argument; what stays keeps its author's writing."""
        if index >= len(self.args) or value == self.args[index].value:
            return self
        word = Word(value, expression(value))
        return self.with_args(*self.args[:index], word, *self.args[index + 1 :])

    def with_args(self, *args: Word) -> Directive:
        """The same directive with other arguments."""
        return structs.replace(self, args=args)

    def with_block(self, block: Iterable[Directive]) -> Directive:
        """The same directive with another block."""
        return structs.replace(self, block=tuple(block))


class Line(Struct, frozen=True):
    """One line of written text, and where the author wrote it."""

    text: str
    place: Place | None


def parse(text: str, file: str) -> tuple[Directive, ...]:
    """Read a configuration text.

    Args:
        text: what the file holds.
        file: its name, for messages and places.

    Raises:
        InvalidError: quotes or braces do not close.
    """
    tokens = _tokens(text, file)
    found, closed = _block(tokens, file, 0)
    if closed is not None:
        raise InvalidError('there is a "}" too many', where=f"{file}:{closed}")
    return found


def write(directives: tuple[Directive, ...], level: int = 0) -> Iterator[Line]:
    """Write directives, each line with its place."""
    pad = "    " * level
    for one in directives:
        head = " ".join([one.written or one.name, *(arg.raw for arg in one.args)])
        first, *more = f"{pad}{head}{';' if one.block is None else ' {'}".split("\n")
        yield Line(first, one.place)
        for text in more:  # a quoted word over several lines
            yield Line(text, one.place)
        if one.block is not None:
            yield from write(one.block, level + 1)
            yield Line(f"{pad}}}", one.place)


_Token = tuple[Word, int]


def _block(
    tokens: Iterator[_Token], file: str, depth: int
) -> tuple[tuple[Directive, ...], int | None]:
    """Read until the block's end; gives the line of its `}` or None at the text's end."""
    found: list[Directive] = []
    words: list[Word] = []
    start = 0
    for word, line in tokens:
        start = start if words else line
        if word.raw not in (";", "{", "}"):
            words.append(word)
            continue
        place = Place(file, start)
        if word.raw == "}":
            if words:
                raise InvalidError(f'a ";" is missing after "{words[0].value}"', where=str(place))
            return tuple(found), line
        if not words:
            raise InvalidError(f'there is a "{word.raw}" too many', where=str(place))
        inner = None
        if word.raw == "{":
            if depth == MAX_DEPTH:
                raise InvalidError("blocks are nested too deeply", where=str(place))
            inner, closed = _block(tokens, file, depth + 1)
            if closed is None:
                what = f'the block "{words[0].value}" is never closed'
                raise InvalidError(what, where=str(place), remedy='add the missing "}"')
        found.append(
            Directive(
                name=words[0].value,
                written=words[0].raw,
                args=tuple(words[1:]),
                block=inner,
                place=place if file else None,
            )
        )
        words = []
    if words:
        what = f'a ";" or "{{" is missing after "{words[0].value}"'
        raise InvalidError(what, where=f"{file}:{start}")
    return tuple(found), None


def _tokens(text: str, file: str) -> Iterator[_Token]:
    at, line, end = 0, 1, len(text)
    while at < end:
        char = text[at]
        if char == "\n":
            line += 1
            at += 1
        elif char.isspace():
            at += 1
        elif char == "#":
            at = text.find("\n", at)
            at = end if at < 0 else at
        elif char in ";{}":
            yield Word(char, char), line
            at += 1
        else:
            stop = _quoted(text, at) if char in "\"'" else _bare(text, at)
            if stop < 0:
                raise InvalidError(f"a quote ({char}) is never closed", where=f"{file}:{line}")
            raw = text[at:stop]
            inner = raw[1:-1] if char in "\"'" else raw
            # A quoted brace or semicolon is a word; its raw form keeps the quotes.
            yield Word(_unescaped(inner), raw), line
            line += raw.count("\n")
            at = stop


def _quoted(text: str, start: int) -> int:
    at = start + 1
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text[at] == text[start]:
            return at + 1
        else:
            at += 1
    return -1


def _bare(text: str, start: int) -> int:
    at = start
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 2
        elif char == "{" and text[at - 1] == "$":
            at += 1
        elif char.isspace() or char in ";{":
            break
        else:
            at += 1
    return min(at, len(text))


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    found, at = [], 0
    while at < len(text):
        after = text[at + 1 : at + 2]
        if text[at] == "\\" and after and after in "\"'\\ ":
            found.append(after)
            at += 2
        elif text[at] == "\\" and after in _ESCAPES:
            found.append(_ESCAPES[after])
            at += 2
        else:
            found.append(text[at])
            at += 1
    return "".join(found)
