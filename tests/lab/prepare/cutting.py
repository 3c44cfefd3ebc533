"""An `ssh` that kills whoever calls it, once at each command that changes the machine."""

from __future__ import annotations

import shlex

from tests.lab.laptop import HOST, Laptop

# What only looks is no boundary.
READS = (
    *("id *", "test *", "cat *", "stat *", "find *", "getent *", "readlink *", "cmp *", "date *"),
    *("dpkg-query *", "dpkg --audit", "docker version*", "docker info*"),
    *("systemctl is-*", "systemctl show*", f"root@{HOST}"),  # the last ends a connection
)
# What takes long → a program that runs on the machine in the middle of it.
LONG = {"*apt-get*update*": "http", "*apt-get*install*": "dpkg", "*make_environment.sh*": "uv"}

SCRIPT = """\
#!/bin/sh
for last; do :; done
case $last in
    {reads}) exec {ssh} "$@" ;;
{long}
    *) middle='' ;;
esac
for word; do
    case $word in ControlPath=*) shared=${{word#ControlPath=}} ;; esac
done
# The connection is gone, the folder of its socket too, and the caller never learns how it went.
cut() {{
    kill -9 "$PPID"
    {ssh} -o ControlPath="$shared" -O exit {host} 2>/dev/null
    rm -rf "${{shared%/*}}"
    exit 1
}}
if [ "$middle" ] && ! grep -qxF -- "$last" {folder}/middle; then
    printf '%s\\n' "$last" >>{folder}/middle
    {ssh} "$@" <&0 &
    for _ in $(seq 600); do
        if {ssh} {host} pgrep -x "$middle" >/dev/null; then
            echo "$middle" >>{folder}/seen-in-the-middle
            cut
        fi
    done
    cut
fi
if ! grep -qxF -- "$last" {folder}/seen; then
    printf '%s\\n' "$last" >>{folder}/seen
    if [ $(($(wc -l <{folder}/seen) % {every})) -eq 0 ]; then
        printf '%s\\n' "$last" >>{folder}/after
        {ssh} "$@"
        cut
    fi
fi
exec {ssh} "$@"
"""


class Cutter:
    """It, and what it has done so far.

    Args:
        laptop: whose `ssh` it stands before.
        every: 1 for each command that changes something, 2 for each other one, and so on.
    """

    def __init__(self, laptop: Laptop, every: int) -> None:
        self.folder = laptop.folder / "cut"
        self.folder.mkdir()
        for name in ("seen", "after", "middle", "seen-in-the-middle"):
            (self.folder / name).touch()
        own = self.folder / "ssh"
        long = [f"    {glob}) middle={name} ;;" for glob, name in LONG.items()]
        own.write_text(SCRIPT.format(
            reads=" | ".join(_glob(one) for one in READS), long="\n".join(long),
            ssh=shlex.quote(str(laptop.folder / "bin" / "ssh")), host=f"root@{HOST}",
            folder=shlex.quote(str(self.folder)), every=every,
        ))  # fmt: skip
        own.chmod(0o755)
        self.before = ("env", f"PATH={self.folder}:{laptop.environment['PATH']}")

    def lines(self, name: str) -> list[str]:
        """Commands that were `seen`, or cut off `after` or in the `middle`; programs `seen-…`."""
        return (self.folder / name).read_text().splitlines()


def _glob(pattern: str) -> str:
    """A pattern of `case` in which blanks are no words' ends."""
    return pattern.replace(" ", "\\ ")
