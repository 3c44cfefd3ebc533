"""Command lines that somebody with a key for one app tries at a host, generated from a seed.

Each wants something that the key may not have: a program of its own, another app, another folder,
a change. What it would do if it got through can be seen afterwards: a file `CANARY` anywhere, or
`SECRET` in an answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

MINE, OTHERS = "shop", "vault"
SECRET = "canary-5f1e7c3a"
CANARY = "geartrain-canary"
LONG = 100_000

_PROGRAMS = (
    f"touch /tmp/{CANARY}",
    f"touch /var/lib/geartrain/{CANARY}",
    "id",
    "cat /etc/passwd",
    f"cat /var/lib/geartrain/apps/{OTHERS}/app.json",
    "sh -i",
)
_AROUND = (
    *("; {}", "&& {}", "|| {}", "| {}", "& {}", "$({})", "`{}`", "\n{}", "\r\n{}", "> /tmp/{}"),
    *("'; {} #", '"; {} #', "\\; {}", "%0a{}", "${{IFS}}{}", "<({})", "{{{},}}", "\0{}", "\\0{}"),
    *("$'\\x00'{}", "\t{}", "\x1b]0;{}\x07", "\u2028{}", "\x7f{}", "..;{}", "*{}", "~{}"),
)
_READS = ("ps", "logs", "releases", "show", "wait", "doctor", "host key", "status")
_CHANGES = (
    *("restart", "down", "rollback", "scale web=9", "converge", "exec web id", "run web id"),
    *("db shell", "redis shell", "app env {app} A=b", "destroy {app} --data --yes"),
    *("app create other", "keys add me --role admin", "keys remove alice", "tls list"),
    *("tls set a.test --cert /etc/passwd --key /etc/shadow", "tls settings --port 22"),
    *("images prune", "images build nginx", "host stop", "host init", "job run x"),
    *("server prepare --local", "up", "new x", "plan", "secrets list", "completion bash"),
)
_PLACES = (
    *("--host-dir=/etc", "--host-dir /root", "-C /root", "--project=/var/lib/geartrain/apps/{app}"),
    *("-H root@127.0.0.1", "--host=root@127.0.0.1", "--app=../{app}", "--app={app}/", "--app=-h"),
    *("--app={app}", "--app {app}", "--app=''", "--app=/{app}", "--app='{app} {app}'"),
)
_GIT = (
    *("git-upload-pack {}", "git-receive-pack {}", "git-upload-archive {}", "git upload-pack {}"),
    *("git receive-pack {}", "git -c core.pager=id upload-pack {}", "git-shell -c {}", "git {}"),
)
_REPOSITORIES = (
    *("{app}", "'{app}.git'", "/{app}", "../{app}", "/var/lib/geartrain/apps/{app}/repo.git"),
    *("--upload-pack=id {app}", "--exec=id", "-h", "--", "--help", "{app}/../{app}", "{app}\\'"),
    *("ext::id", "file:///etc", "shop/../{app}", "shop {app}", ".", "..", "''", "shop/../../.."),
)
_OTHER = (
    *("", " ", "''", "-", "--", "gear --", "gear ''", "bash", "sh -c id", "scp -f /etc/passwd"),
    *("scp -t /tmp", "sftp", "/usr/lib/openssh/sftp-server", "rsync --server --sender . /etc"),
    *("/opt/geartrain/current/gear ps", "python3 -c 'print(1)'", "env", "exec id", "command id"),
    *("gear", "GEAR ps", "gear\tps", "./gear ps", "gear gear ps", "gear -H", "cat", "exit 0"),
    *("'", '"', "\\", "$", "`", "gear ps '", 'gear logs "', "gear ps \\"),
)


def lines(seed: int, count: int) -> Iterator[bytes]:
    """So many command lines, the same for a seed."""
    dice = random.Random(seed)
    kinds: tuple[Callable[[random.Random], str | bytes], ...] = (
        _metacharacters, _elsewhere, _changing, _git, _other, _long, _bytes,
    )  # fmt: skip
    for number in range(count):
        made = kinds[number % len(kinds)](dice)
        # An argument of a program has no NUL in it; what stands for one has.
        yield (made if isinstance(made, bytes) else made.encode()).replace(b"\0", b"%00")


def _metacharacters(dice: random.Random) -> str:
    tail = dice.choice(_AROUND).format(dice.choice(_PROGRAMS))
    head = dice.choice((f"gear {dice.choice(_READS)}", f"git-upload-pack {MINE}", "gear", ""))
    return dice.choice((f"{head} {tail}", f"{head}{tail}", f"{tail} {head}"))


def _elsewhere(dice: random.Random) -> str:
    place = dice.choice(_PLACES).format(app=OTHERS)
    words = dice.choice(_READS)
    return dice.choice((f"gear {words} {place}", f"gear {place} {words}"))


def _changing(dice: random.Random) -> str:
    app = dice.choice((MINE, OTHERS))
    words = dice.choice(_CHANGES).format(app=app)
    return dice.choice((f"gear {words}", f"gear {words} --app {app}", f"gear {words} --json"))


def _git(dice: random.Random) -> str:
    program = dice.choice(_GIT)
    where = dice.choice(_REPOSITORIES).format(app=OTHERS)
    return program.format(where)


def _other(dice: random.Random) -> str:
    return dice.choice(_OTHER)


def _long(dice: random.Random) -> bytes:
    filler = dice.choice(("A", "-", "/..", "$(id)", "'", " a", "é", "--app=vault "))
    size = dice.choice((8_000, 8_192, 8_193, LONG))
    head = dice.choice(("gear ps ", "gear logs --app ", "git-upload-pack ", ""))
    return (head + filler * size).encode()[:size]


def _bytes(dice: random.Random) -> bytes:
    noise = bytes(
        dice.choice((*range(1, 32), *range(127, 256))) for _ in range(dice.randint(1, 40))
    )
    head = dice.choice((b"gear ps ", b"gear logs --app ", b"git-upload-pack ", b""))
    return head + noise
