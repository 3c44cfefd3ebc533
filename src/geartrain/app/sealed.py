"""The file of an app's secrets, as it lies in Git: names in clear, a line and a ciphertext each.

    [recipients]
    "alice" = "ssh-ed25519 AAAA…"

    [secrets]
    STRIPE_KEY = "YWdlLWVuY3J5cHRpb24…"

TOML, of which only this much is written: no line depends on the one before it, so
that Git merges two people's changes, and a name that came twice is a mistake.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping

from msgspec import Struct

from geartrain.app.finding import shown_value
from geartrain.errors import InvalidError

FILE = "gear.secrets.toml"
MAX_FILE = 4 * 2**20  # bytes
MAX_VALUE = 64 * 1024  # bytes; Linux takes 128 KB a variable (execve(2))
MOST = 500  # names
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})(?: |$)", re.MULTILINE)
_HEAD = """\
# Secrets of this app, made by `gear secrets`. Names are in clear, values are encrypted with age to
# these recipients. One line by hand: base64 -d, then age -d -i ~/.ssh/id_ed25519
"""


class Sealed(Struct, frozen=True, kw_only=True):
    """What the file says.

    Args:
        recipients: who can read it: a label → an SSH or age public key.
        secrets: a name → age's output in base64, of `NAME=VALUE`.
    """

    recipients: dict[str, str] = {}
    secrets: dict[str, str] = {}


def check_name(name: str) -> None:
    """Refuse what cannot be a variable's name.

    Raises:
        InvalidError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise InvalidError(
            f"{shown_value(name)} is not the name of a variable",
            remedy="use letters, digits and '_', and start with a letter: STRIPE_KEY",
        )


def check_label(label: str) -> None:
    """Refuse what does not name a recipient.

    Raises:
        InvalidError: it does not.
    """
    if not _LABEL.fullmatch(label):
        raise InvalidError(
            f"{shown_value(label)} is not a name for a key",
            remedy="use letters, digits and . _ @ + -, at most 100",
        )


def check_value(name: str, value: str) -> None:
    """Refuse what no environment can carry.

    Raises:
        InvalidError: the value is too long, or has a NUL in it. It is not shown.
    """
    size = len(value.encode())
    if size > MAX_VALUE:
        raise InvalidError(
            f"{name} has {size:,} bytes, and a secret has at most {MAX_VALUE:,}",
            remedy="keep large files elsewhere, encrypted with a key that is a secret here",
        )
    if "\0" in value:
        raise InvalidError(
            f"{name} has a NUL in it, which no variable can carry",
            remedy="base64 it, and decode it in the app",
        )


def parse(text: str, where: str = FILE) -> Sealed:
    """Read the file.

    Args:
        text: what it says.
        where: what messages call it.

    Raises:
        InvalidError: it is broken.
    """
    if found := _CONFLICT.search(text):
        line = text[: found.start()].count("\n") + 1
        raise InvalidError(
            "there is a merge conflict in it",
            where=f"{where}:{line}",
            remedy="keep every name once, drop the marks, and run `gear secrets rotate`:"
            " values of both sides stay readable",
        )
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidError(
            f"it cannot be read: {error}",
            where=where,
            remedy=f"git log -p -- {FILE} shows how it was; a name may stand there once",
        ) from error
    unknown = sorted(raw.keys() - {"recipients", "secrets"})
    tables = (raw.get("recipients", {}), raw.get("secrets", {}))
    texts = all(
        isinstance(table, dict) and all(isinstance(v, str) for v in table.values())
        for table in tables
    )
    if unknown or not texts:
        said = f"{shown_value(unknown[0])} is not a part of it" if unknown else "it is no such file"
        raise InvalidError(
            said, where=where, remedy="it has [recipients] and [secrets], of texts alone"
        )
    found_ = Sealed(recipients=tables[0], secrets=tables[1])
    for label in found_.recipients:
        check_label(label)
    for name in found_.secrets:
        check_name(name)
    if len(found_.secrets) > MOST:
        raise InvalidError(f"it has {len(found_.secrets):,} names, at most {MOST}", where=where)
    return found_


def render(sealed: Sealed) -> str:
    """Write the file, sorted by name."""
    lines = [_HEAD, "[recipients]", *_table(sealed.recipients, quoted=True)]
    return "\n".join([*lines, "", "[secrets]", *_table(sealed.secrets, quoted=False), ""])


def _table(table: Mapping[str, str], *, quoted: bool) -> list[str]:
    # What JSON writes of printable ASCII is also TOML's basic string.
    return [
        f"{json.dumps(key) if quoted else key} = {json.dumps(table[key])}" for key in sorted(table)
    ]


def plain(values: Mapping[str, str]) -> str:
    """Values as somebody edits them: a line each, or a block where there are several lines."""
    return "".join(f"{name} = {_text(values[name])}\n" for name in sorted(values))


def _text(value: str) -> str:
    printable = all(c.isprintable() or c in "\n\t" for c in value)
    if "\n" in value and "'''" not in value and printable and not value.endswith("'"):
        return f"'''\n{value}'''"  # the first line end is not a part of it (TOML)
    # Of what JSON escapes, TOML knows all but DEL as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
