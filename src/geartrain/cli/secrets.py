"""`gear secrets`: an app's secrets, encrypted in its repository."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from msgspec.structs import replace

from geartrain import run
from geartrain.app import sealed
from geartrain.app.sealed import FILE, Sealed
from geartrain.cli import options, remotes
from geartrain.cli.output import as_json as print_json
from geartrain.cli.output import columns, note
from geartrain.errors import Exit, GearError, InvalidError
from geartrain.server import host as hosts
from geartrain.server.secrets import age, recipients
from geartrain.server.secrets import box as box_file

USUAL = ("id_ed25519", "id_rsa")
VARIABLE = "GEAR_IDENTITY"
_EDITED = """\
# Change, add or delete lines, then save and leave. Only what changes is encrypted anew.
# A value of several lines: NAME = '''
# -----BEGIN ...
# '''
"""
folder = click.option(
    "-C",
    "--project",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="Folder of the project, where the Compose file is; default this one.",
)
identity = click.option(
    "--identity",
    type=click.Path(path_type=Path),
    help=f"Your private key; default {VARIABLE}, else ~/.ssh/id_ed25519 or id_rsa.",
)


@click.group()
def secrets() -> None:
    """Secrets of an app, encrypted in its repository to people and hosts.

    They are what the Compose file uses as ${KEY}, as `secrets: {x: {environment: KEY}}`, and as
    `secrets: {KEY: {external: true}}`, once they are committed and pushed.
    """


@secrets.command("set")
@click.argument("names", nargs=-1, required=True, metavar="KEY...")
@folder
def set_(names: tuple[str, ...], folder: Path) -> None:
    """Encrypt values: typed, or from the input; never from the command line.

    \b
    Examples:
      gear secrets set STRIPE_KEY
      gear secrets set TLS_KEY < key.pem
    """
    for name in names:
        if "=" in name:
            key = name.partition("=")[0]
            raise InvalidError(
                "a value on the command line stands in the list of processes and in your history",
                remedy=f"`gear secrets set {key}` asks for it, or takes it from the input",
            )
        sealed.check_name(name)
    typed = sys.stdin.isatty()
    if not typed and len(names) > 1:
        raise InvalidError("the input has one value", remedy="set one secret at a time")
    box = _read(folder) or _first(folder)
    values = {
        name: click.prompt(name, hide_input=True, confirmation_prompt=True)
        if typed
        else _given(name)
        for name in names
    }
    _write(folder, box_file.put(box, values))
    note(f"{', '.join(names)}: encrypted for {', '.join(sorted(box.recipients))}")
    note(f"next: git add {FILE}, commit and push")


@secrets.command()
@click.argument("names", nargs=-1, required=True, metavar="KEY...")
@folder
def unset(names: tuple[str, ...], folder: Path) -> None:
    """Take secrets out of the file. Git's history still has them, encrypted.

    \b
    Examples:
      gear secrets unset STRIPE_KEY
    """
    box = _there(folder)
    for name in names:
        if name not in box.secrets:
            raise InvalidError(f"there is no secret {name!r}", where=FILE)
    _write(folder, replace(box, secrets={k: v for k, v in box.secrets.items() if k not in names}))


@secrets.command("list")
@folder
@options.json
def list_(folder: Path, as_json: bool) -> None:
    """List the names, and who can read the values. No key is needed.

    \b
    Examples:
      gear secrets list
    """
    box = _read(folder) or Sealed()
    if as_json:
        print_json({"secrets": sorted(box.secrets), "recipients": box.recipients})
        return
    for name in sorted(box.secrets):
        click.echo(name)
    rows = [(label, key[:60]) for label, key in sorted(box.recipients.items())]
    if rows:
        click.echo()
        for line in columns(rows, ("READABLE BY", "KEY")):
            click.echo(line)


@secrets.command()
@folder
@identity
def edit(folder: Path, identity: Path | None) -> None:
    """Open all values in your editor ($VISUAL, $EDITOR), in memory where there is such a folder.

    \b
    Examples:
      gear secrets edit
    """
    box = _there(folder)
    before = _values(box, identity)
    after = _edited(before)
    gone = before.keys() - after.keys()
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    if not changed and not gone:
        note("nothing was changed")
        return
    kept = replace(box, secrets={k: v for k, v in box.secrets.items() if k not in gone})
    _write(folder, box_file.put(kept, changed))
    for word, some in (("encrypted", sorted(changed)), ("taken out", sorted(gone))):
        if some:
            note(f"{word}: {', '.join(some)}")


@secrets.command()
@click.option(
    "--add",
    multiple=True,
    metavar="NAME=KEY",
    help="Somebody who may read: a public key, or its file.",
)
@click.option("--remove", multiple=True, metavar="NAME", help="Somebody who may not any more.")
@folder
@identity
def rotate(
    add: tuple[str, ...], remove: tuple[str, ...], folder: Path, identity: Path | None
) -> None:
    """Encrypt everything anew, to other recipients if you say so.

    Whoever is removed has known the values, and Git still has what they could read: change the
    values themselves, too.

    \b
    Examples:
      gear secrets rotate --add alice=alice.pub
      gear secrets rotate --add host="$(gear -H gear@203.0.113.7 host key)"
      gear secrets rotate --remove bob
    """
    box = _read(folder) or Sealed()
    people = dict(box.recipients)
    for label in remove:
        if people.pop(label, None) is None:
            known = ", ".join(sorted(people)) or "nobody"
            raise InvalidError(f"there is no recipient {label!r}", remedy=f"there are {known}")
    for said in add:
        label, _, key = said.partition("=")
        people[label] = recipients.public(label, key)
    values = _values(box, identity) if box.secrets else {}
    _write(folder, box_file.put(Sealed(recipients=people), values))
    note(f"{len(values)} secrets, readable by {', '.join(sorted(people)) or 'nobody'}")
    if remove:
        note("who was removed has known the values: change them, with `gear secrets set`")


def _given(name: str) -> str:
    raw = sys.stdin.buffer.read(sealed.MAX_VALUE + 2)
    try:
        value = raw.decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise InvalidError(
            f"{name} is no text", remedy="base64 it, and decode it in the app"
        ) from error
    sealed.check_value(name, value)
    return value


def _first(folder: Path) -> Sealed:
    """The file for a first secret: for whoever makes it, and the hosts that are known."""
    people = recipients.usual(_keys(), _hosts(folder))
    if not any(label.startswith("host") for label in people):
        note(
            "no host can read this yet; give it its key:"
            ' gear secrets rotate --add host="$(gear -H user@host host key)"'
        )
    if not people:
        raise InvalidError(
            "there is nobody to encrypt to",
            remedy="gear secrets rotate --add alice=~/.ssh/id_ed25519.pub; ssh-keygen makes one",
        )
    return Sealed(recipients=people)


def _hosts(folder: Path) -> Iterator[Path]:
    """The folders of hosts on this machine that the repository has a remote at."""
    for url in remotes.urls(folder):
        state = Path(url.removeprefix("file://")).parent.parent.parent
        if (state / hosts.FILE).is_file():
            yield state


def _keys() -> tuple[Path, ...]:
    own = Path.home() / ".ssh"
    return tuple(own / name for name in USUAL)


def _values(box: Sealed, identity: Path | None) -> dict[str, str]:
    """What the file's values are, for somebody who has a key.

    Raises:
        InvalidError: there is no key, or it is none of the file's.
    """
    named = identity or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    paths = (named,) if named else tuple(path for path in _keys() if path.is_file())
    if not paths:
        raise InvalidError(
            "no private key of yours was found",
            where=str(Path.home() / ".ssh"),
            remedy="name one with --identity",
        )
    keys: list[age.Identity] = []
    problem: InvalidError | None = None
    for path in paths:
        try:
            keys += age.identities(path)
        except InvalidError as error:
            problem = error
    if problem and not keys:
        raise problem
    try:
        return box_file.values(box, keys)
    except age.OtherKeysError as error:
        readers = ", ".join(sorted(box.recipients)) or "nobody"
        raise InvalidError(
            f"your key opens none of it, or not all; {error.what}",
            where=", ".join(map(str, paths)),
            remedy=f"it is for {readers}: one of them adds you with"
            " `gear secrets rotate --add NAME=PUBLIC-KEY`",
        ) from error


def _edited(values: Mapping[str, str]) -> dict[str, str]:
    """What somebody makes of the values in an editor. The file is gone afterwards."""
    places = (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm")  # noqa: S108  # a folder of its own in it
    memory = next((p for p in places if p and os.access(p, os.W_OK | os.X_OK)), None)
    words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="gear-secrets-", dir=memory) as place:
        path = Path(place) / "secrets.toml"
        path.touch(0o600)
        text = sealed.plain(values)
        path.write_text(_EDITED + text)
        run.interact([*words, path])
        try:
            found = tomllib.loads(path.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidError(
                f"what was saved cannot be read: {error}",
                remedy='nothing was changed; write a line as NAME = "value"',
            ) from error
    for name, value in found.items():
        sealed.check_name(name)
        if not isinstance(value, str):
            raise InvalidError(
                f"{name} is no text", remedy=f'nothing was changed; write {name} = "..."'
            )
        sealed.check_value(name, value)
    return found


def _read(folder: Path) -> Sealed | None:
    return box_file.read(folder)


def _there(folder: Path) -> Sealed:
    box = _read(folder)
    if box is None:
        raise GearError(
            "there are no secrets here",
            where=str(folder.resolve() / FILE),
            remedy="`gear secrets set KEY` makes the file",
            code=Exit.INVALID,
        )
    return box


def _write(folder: Path, box: Sealed) -> None:
    box_file.write(folder, box)
