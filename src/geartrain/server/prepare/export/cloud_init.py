"""User data for cloud-init, which a new server reads when it boots for the first time.

It brings Geartrain there, which then prepares the machine that it is on: the steps are the ones
that `gear server prepare` does.

Source: cloudinit.readthedocs.io, "Cloud config module reference": write_files, runcmd.
"""

from __future__ import annotations

import shlex

import yaml

from geartrain.server.prepare import apt, contents, layout
from geartrain.server.prepare.export.goods import Goods
from geartrain.server.prepare.payload import fresh
from geartrain.server.prepare.system import SUPPORTED

SMALL = 16 * 1024
"""Bytes of user data that every provider takes."""

_PLACE = "/run/geartrain-setup"
_SCRIPT = f"{_PLACE}/setup.sh"
_FETCHER = f"{_PLACE}/fetch.py"
_ARCHIVE = f"{_PLACE}/geartrain.tar.gz"
_HEAD = """\
#cloud-config
# Written by `gear server export cloud-init`: makes a Geartrain host of this machine, as
# `gear server prepare` does. What it says is in /var/log/cloud-init-output.log; if it fails,
# `gear server prepare` goes on where it stopped.
"""

_SETUP = """\
#!/bin/sh
set -eu
export HOME="${{HOME:-/root}}"

. /etc/os-release
case $ID-$VERSION_ID in
{systems}
    *)
        echo "$PRETTY_NAME cannot be prepared; these can: {known}" >&2
        exit 4
        ;;
esac
{update}
# shellcheck disable=SC2086  # a list of words
{install} ca-certificates $python

# The version as a whole, or not at all.
if ! [ -f {folder}/{lock} ]; then
{fetch}    echo {digest} | sha256sum --check --quiet
    rm -rf {half} {folder}
    mkdir -p {half}
    tar -xz --no-same-owner -C {half} -f {archive}
    mv -T {half} {folder}
fi
{set_up}
{folder}/gear server prepare --local
rm -rf {place}
"""

_FETCH = """\
import sys, time, urllib.request

url, path = sys.argv[1:]
for left in reversed(range(10)):
    try:
        with urllib.request.urlopen(url, timeout=60) as answer, open(path, "wb") as file:
            file.write(answer.read())
        break
    except OSError as error:
        print(f"{url}: {error}", file=sys.stderr)
        if not left:
            sys.exit(1)
        time.sleep(6)
"""


class _Text(str):
    """Is written as a block of lines."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(
    _Text, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
)


def user_data(goods: Goods, *, url: str | None = None, archive: str | None = None) -> str:
    """The user data.

    Args:
        goods: the Geartrain that is brought there.
        url: where the machine gets its archive.
        archive: the archive itself in base64, which then is part of the text.
    """
    files: list[dict[str, object]] = [
        {"path": _SCRIPT, "permissions": "0700", "content": _Text(_setup(goods, url))}
    ]
    if url is not None:
        files.append({"path": _FETCHER, "permissions": "0600", "content": _Text(_FETCH)})
    if archive is not None:
        files.append({"path": _ARCHIVE, "permissions": "0600", "encoding": "b64",
                      "content": archive})  # fmt: skip
    said = {"write_files": files, "runcmd": [["sh", _SCRIPT]]}
    return _HEAD + yaml.dump(said, Dumper=_Dumper, sort_keys=False, width=2**31)


def _setup(goods: Goods, url: str | None) -> str:
    systems = "\n".join(
        f"    {id_}-{version}) python='{' '.join(system.python)}' ;;"
        for (id_, version), system in SUPPORTED.items()
    )
    words = ("python3", "-I", _FETCHER, url, _ARCHIVE) if url else ()
    return _SETUP.format(
        systems=systems,
        known=", ".join(system.name for system in SUPPORTED.values()),
        update=shlex.join((*apt.GET, "update")),
        install=shlex.join((*apt.GET, *apt.INSTALL)),
        folder=goods.folder,
        half=layout.VERSIONS / fresh(goods.version),
        lock=contents.LOCK,
        fetch=f"    {shlex.join(words)}\n" if words else "",
        digest=shlex.quote(f"{goods.digest}  {_ARCHIVE}"),
        archive=_ARCHIVE,
        set_up=shlex.join(contents.set_up(goods.folder)),
        place=_PLACE,
    )
