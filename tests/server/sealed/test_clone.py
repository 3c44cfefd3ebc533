"""`gear secrets`: from a clone to the instances of a release, and to nowhere else."""

from __future__ import annotations

import base64
import os
import re
import shutil
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from geartrain.engine.memory import Memory, in_memory
from tests.server.disks import mounted
from tests.server.pushing import Clone, HostFolder
from tests.server.sealed.team import Team, keygen

APP = """\
import http.server
import os
from pathlib import Path


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        file = os.environ.get("TOKEN_FILE", "")
        told = [os.environ.get("STRIPE_KEY", ""), Path(file).read_text() if file else ""]
        self.send_response(200)
        self.end_headers()
        self.wfile.write("|".join(told).encode())


http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""
COMPOSE = """\
services:
  web:
    build: .
    ports: ["${EDGE_PORT:-8080}:8080"]
    environment:
      STRIPE_KEY: ${STRIPE_KEY:?}
      TOKEN_FILE: /run/secrets/token
    secrets: [token, SIGNING_KEY]
    x-gear:
      health: /
secrets:
  token:
    environment: API_TOKEN
  SIGNING_KEY:
    external: true
"""
STRIPE, TOKEN, SIGNING = "canary-1 with 'quotes' $x", "canary-2-7uPq", "canary-3\nof two lines"


def locked_key(path: Path) -> None:
    """A private key with a passphrase, as far as one can read it without (PROTOCOL.key)."""

    def field(raw: bytes) -> bytes:
        return struct.pack(">I", len(raw)) + raw

    public = field(b"ssh-ed25519") + field(os.urandom(32))
    options = field(os.urandom(16)) + struct.pack(">I", 16)
    body = b"openssh-key-v1\0" + field(b"aes256-ctr") + field(b"bcrypt") + field(options)
    body += struct.pack(">I", 1) + field(public) + field(os.urandom(160))
    text = base64.encodebytes(body).decode()
    dashes = "-" * 5
    name = "OPENSSH PRIVATE KEY"
    path.write_text(f"{dashes}BEGIN {name}{dashes}\n{text}{dashes}END {name}{dashes}\n")


def app_in(clone: Clone) -> Clone:
    (clone.folder / "app.py").write_text(APP)
    (clone.folder / "docker-compose.yml").write_text(COMPOSE)
    clone.commit()
    return clone


@pytest.fixture
def team(shop: Clone, tmp_path: Path) -> Team:
    return Team(app_in(shop), tmp_path / "alice")


def seed(team: Team) -> None:
    for name, value in (("STRIPE_KEY", STRIPE), ("API_TOKEN", TOKEN), ("SIGNING_KEY", SIGNING)):
        team.secrets("set", name, stdin=value)
    team.clone.commit("secrets")


def holding(folder: Path, value: str) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if value.encode() in path.read_bytes()]


def command_lines() -> str:
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                lines.append((entry / "cmdline").read_bytes())
            except OSError:
                continue
    return b"\n".join(lines).decode(errors="replace")


def test_from_a_clone_to_the_instances_and_nowhere_else(team: Team) -> None:
    said = team.secrets("set", "STRIPE_KEY", stdin=STRIPE + "\n")
    names = re.search("STRIPE_KEY: encrypted for (.*)\n", said)
    assert names
    assert "host" in names[1].split(", ")
    assert len(names[1].split(", ")) == 2, "and whoever set it"
    team.clone.commit("one secret")

    refused = team.clone.refused()
    assert "2 variables have no value" in refused
    assert "secrets.token: API_TOKEN has no value" in refused
    assert "secrets.SIGNING_KEY: SIGNING_KEY has no value" in refused
    assert "gear secrets set KEY" in refused
    assert "build release" not in refused

    seed(team)
    pushed = team.clone.push().err
    assert team.clone.body() == f"{STRIPE}|{TOKEN}"

    lines = command_lines()
    history = team.clone.git("ls-remote", "live").out
    for event in team.clone.events():
        history += str(event)
    state = team.clone.host.folder
    for value in (STRIPE, TOKEN, SIGNING):
        first = value.split("\n", maxsplit=1)[0]
        assert first not in pushed
        assert first not in lines
        assert first not in history
        assert holding(state, first) == [], "no disk has it"
    assert holding(state, "API_TOKEN"), "the search sees what is there"
    (memory,) = Memory(state, "shop").there("")
    assert in_memory(memory)
    assert stat.S_IMODE(memory.stat().st_mode) == 0o700
    assert [path.name for path in holding(memory, TOKEN)] == ["token"]
    assert [path.name for path in holding(memory, "canary-3")] == ["SIGNING_KEY"]
    shutil.rmtree(memory)
    team.clone.gear("converge")
    assert [path.name for path in holding(memory, TOKEN)] == ["token"]
    team.clone.gear("down")
    assert not memory.exists()
    team.clone.gear("converge")
    assert team.clone.body() == f"{STRIPE}|{TOKEN}"
    team.clone.gear("destroy", "shop", "--data", "--yes")
    assert not memory.exists()


def test_a_host_that_is_no_recipient_says_so_before_the_build(team: Team, tmp_path: Path) -> None:
    seed(team)
    team.secrets("rotate", "--remove", "host")
    team.clone.commit("for people alone")
    said = team.clone.refused()
    assert "this host cannot read all secrets; encrypted to other keys: API_TOKEN, " in said
    key = team.clone.gear("host", "key").out.strip()
    assert f"gear secrets rotate --add host={key}" in said
    assert "build release" not in said

    theirs = keygen(tmp_path / "bob")
    team.secrets("rotate", "--add", f"host={key}", "--add", f"bob={theirs}")
    team.clone.commit("for the host and bob")
    # A build that is refused: the secret would stay in the image.
    text = COMPOSE.replace("build: .", "build: {context: ., args: {KEY: '${STRIPE_KEY}'}}")
    text = text.replace("    secrets:", "    command: [python, app.py, $API_TOKEN]\n    secrets:")
    team.clone.write("docker-compose.yml", text)
    team.clone.commit("into the image")
    said = team.clone.refused("-o", "plan", "main")
    where = "docker-compose.yml:3 services.web.build.args.KEY"
    assert f"{where}: the secret STRIPE_KEY would stay in the image" in said
    team.clone.write("docker-compose.yml", text.replace("'${STRIPE_KEY}'", "x"))
    team.clone.commit("a command line")
    said = team.clone.refused("-o", "plan", "main")
    assert "the secret API_TOKEN stands in the list of processes" in said
    assert "this was only the plan" in said
    # An error quotes a name, not the value.
    team.clone.write("docker-compose.yml", COMPOSE.replace("health: /", "port: ${API_TOKEN}"))
    team.clone.commit("a port that is none")
    said = team.clone.refused()
    assert "<API_TOKEN>" in said
    assert TOKEN not in said


def test_values_are_typed_or_read_and_have_limits(team: Team) -> None:
    said = team.secrets("set", "STRIPE_KEY=abc", code=3)
    assert "a value on the command line stands in the list of processes" in said
    for name in ("1ST", "a-b", "É", "../x", "A B", "x" * 101):
        assert "is not the name of a variable" in team.secrets("set", name, code=3, stdin="x")
    said = team.secrets("set", "BIG", code=3, stdin="x" * 66_000)
    assert "a secret has at most 65,536" in said
    assert "has a NUL in it" in team.secrets("set", "NUL", code=3, stdin="a\0b")
    assert not team.file.exists()
    assert "there are no secrets here" in team.secrets("edit", code=3)
    team.secrets("set", "A", stdin="")
    assert "there is no secret 'X'" in team.secrets("unset", "X", code=3)


def test_a_file_differs_by_name_and_only_where_it_changed(team: Team) -> None:
    seed(team)
    team.secrets("set", "API_TOKEN", stdin="another")
    changed = [
        line.split(" ")[0]
        for line in team.clone.git("diff", "-U0").out.splitlines()
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert changed == ["-API_TOKEN", "+API_TOKEN"]
    team.secrets("unset", "API_TOKEN")
    assert team.secrets("list").split("\n\n")[0].split() == ["SIGNING_KEY", "STRIPE_KEY"]


def test_the_editor_sees_values_and_changes_only_what_was_changed(
    team: Team, tmp_path: Path
) -> None:
    seed(team)
    before = team.file.read_text().splitlines()
    editor, seen = tmp_path / "editor", tmp_path / "seen"
    editor.write_text(
        f'#!/bin/sh\ncp "$1" {seen}\nstat -c %a "$1" >> {seen}\n'
        'sed -i "s/^API_TOKEN = .*/API_TOKEN = \\"new one\\"/" "$1"\n'
    )
    editor.chmod(0o755)
    env = {"HOME": str(team.home), "VISUAL": str(editor)}
    said = team.clone.gear("secrets", "edit", env=env).err
    assert "encrypted: API_TOKEN\n" in said
    shown = seen.read_text()
    assert f'STRIPE_KEY = "{STRIPE}"' in shown
    assert f"SIGNING_KEY = '''\n{SIGNING}'''" in shown
    assert shown.endswith("600\n")
    after = team.file.read_text().splitlines()
    assert [a.split()[0] for a, b in zip(after, before, strict=True) if a != b] == ["API_TOKEN"]

    editor.write_text('#!/bin/sh\necho "nonsense" >> "$1"\n')
    said = team.clone.gear("secrets", "edit", env=env, code=3).err
    assert "what was saved cannot be read" in said
    assert "nothing was changed" in said
    assert team.file.read_text().splitlines() == after


def test_files_that_are_broken_say_where_and_what_to_do(team: Team) -> None:
    seed(team)
    good = team.file.read_text()

    def said(text: str, *words: str) -> str:
        team.file.write_text(text)
        return team.secrets(*(words or ("list",)), code=3)

    head, line = good.rpartition("STRIPE_KEY")[0], good.splitlines()[-1]
    conflict = f"{head}<<<<<<< HEAD\n{line}\n=======\n{line}\n>>>>>>> other\n"
    number = head.count("\n") + 1
    assert f"gear.secrets.toml:{number}: there is a merge conflict in it" in said(conflict)
    assert "a name may stand there once" in said(f"{good}{line}\n")
    assert "it cannot be read" in said("what is this?")
    assert "'more' is not a part of it" in said(f"{good}[more]\nx = 1\n")
    assert "it is no such file" in said("[secrets]\nX = 3\n")
    assert "is not the name of a variable" in said('[secrets]\n"a b" = ""\n')
    token = next(one for one in good.splitlines() if one.startswith("API_TOKEN"))
    swapped = good.replace(line, f"STRIPE_KEY{token.removeprefix('API_TOKEN')}")
    assert "STRIPE_KEY has the value of another name" in said(swapped, "rotate")
    assert "STRIPE_KEY is broken" in said(good.replace(line, 'STRIPE_KEY = "!"'), "rotate")
    assert "STRIPE_KEY is broken" in said(good.replace(line, line[:-9] + '"'), "rotate")
    team.file.write_text(good)
    assert "3 secrets, readable by" in team.secrets("rotate")


def test_keys_that_cannot_be_used(team: Team, tmp_path: Path) -> None:
    seed(team)
    other = tmp_path / "other"
    keygen(other)
    said = team.secrets("rotate", "--identity", str(other), code=3)
    assert "your key opens none of it, or not all" in said
    assert "gear secrets rotate --add NAME=PUBLIC-KEY" in said
    locked = tmp_path / "locked"
    locked_key(locked)
    assert "the key has a passphrase" in team.secrets("rotate", "--identity", locked, code=3)
    said = team.secrets("rotate", "--identity", tmp_path / "nowhere", code=3)
    assert "the key cannot be read: No such file" in said
    private = team.secrets("rotate", "--add", f"eve={other}", code=3)
    assert "this is a private key" in private
    assert "BEGIN" not in private
    for bad in ("eve=age1nonsense", "eve=ssh-ed25519 xx", "eve=nowhere.pub", "eve", "../x=age1y"):
        team.secrets("rotate", "--add", bad, code=3)
    assert "there is no recipient 'eve'" in team.secrets("rotate", "--remove", "eve", code=3)
    assert "eve" not in team.file.read_text()


def test_the_hosts_key_is_its_own(host: HostFolder) -> None:
    key = host.folder / "secrets.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    public = host.gear("host", "key").out.strip()
    assert public.startswith("age1")
    assert "AGE-SECRET-KEY" not in host.gear("host", "init").out
    assert host.gear("host", "key", "--json").json() == {"key": public, "before": {}}
    key.unlink()
    assert "this host has no key for secrets" in host.gear("host", "key", code=4).err


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory with room for a few small secrets."""
    place = tmp_path / "small"
    with mounted(place, "128k"):
        yield place


def test_no_room_for_a_secret_leaves_what_runs(team: Team, small: Path) -> None:
    clone = team.clone
    clone.gear("host", "init", "--runtime", small)
    seed(team)
    clone.push()
    assert [path.name for path in holding(small, TOKEN)] == ["token"]
    team.secrets("set", "SIGNING_KEY", stdin="x" * 65_000)
    team.secrets("set", "API_TOKEN", stdin="y" * 65_000)
    clone.commit("large ones")
    said = clone.refused()
    assert "the memory that secrets are kept in is full" in said
    assert "release 1 goes on serving" in said
    assert clone.body() == f"{STRIPE}|{TOKEN}"
    assert holding(small, "x" * 100) == [], "nothing is left of it"
    clone.gear("down")
    clone.gear("converge")
    assert clone.body() == f"{STRIPE}|{TOKEN}"


def test_a_folder_that_is_not_the_hosts_own_is_refused(team: Team, small: Path) -> None:
    clone = team.clone
    clone.gear("host", "init", "--runtime", small)
    seed(team)
    clone.push()
    os.chown(small, 12345, 12345)
    clone.write("VERSION", "2")
    clone.commit("another")
    said = clone.refused()
    assert f"{small} belongs to another user (uid 12345)" in said
    assert clone.body() == f"{STRIPE}|{TOKEN}"
    assert clone.gear("ps").code == 0
    os.chown(small, 0, 0)
    clone.push()


def test_a_command_line_that_is_split_at_a_secret(team: Team) -> None:
    seed(team)
    text = COMPOSE.replace(
        "    secrets: [", "    command: python app.py $STRIPE_KEY\n    secrets: ["
    )
    team.clone.write("docker-compose.yml", text)
    team.clone.commit("in a line")
    said = team.clone.refused()
    assert "the value of STRIPE_KEY has spaces or quotes, at which this line is split" in said
    assert "canary-1" not in said
    quoted = text.replace("python app.py $STRIPE_KEY", '["python", "app.py", "$STRIPE_KEY"]')
    team.clone.write("docker-compose.yml", quoted)
    team.clone.commit("in a list")
    team.clone.push()
    assert team.clone.body() == f"{STRIPE}|{TOKEN}"
    assert holding(team.clone.host.folder, "canary-1") == []


def test_what_an_app_printed_before_it_failed_has_names_in_place_of_values(team: Team) -> None:
    seed(team)
    text = "import os, sys\nprint('with', os.environ['STRIPE_KEY'])\nsys.exit('no luck')\n"
    team.clone.write("app.py", text)
    team.clone.commit("it tells")
    said = team.clone.refused()
    assert "with <STRIPE_KEY>" in said
    assert "no luck" in said
    assert STRIPE not in said
