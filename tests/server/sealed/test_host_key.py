"""The host's own key is changed: what is encrypted to the one before opens as long as it must."""

from __future__ import annotations

import re
import stat
import threading
from pathlib import Path

import pytest

from geartrain.server.secrets import host_key
from tests.server.pushing import Clone, HostFolder
from tests.server.sealed.team import Team

APP = """\
import http.server
import os
import pathlib


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        text = pathlib.Path(os.environ["TOKEN_FILE"]).read_text() + os.environ["WORD"]
        self.wfile.write(text.encode())


http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""
COMPOSE = """\
services:
  web:
    build: ./web
    ports: ["${EDGE_PORT:-8080}:8080"]
    stop_grace_period: 1s
    environment: {TOKEN_FILE: /run/secrets/TOKEN, WORD: "${WORD}"}
    secrets: [TOKEN]
    x-gear: {health: /}
secrets:
  TOKEN: {external: true}
"""


@pytest.fixture
def team(shop: Clone, tmp_path: Path) -> Team:
    """An app that is live with a secret; what it is built from is a folder of its own."""
    for path in shop.folder.iterdir():
        if path.is_file():
            path.unlink()
    shop.write("web/app.py", APP)
    shop.write(
        "web/Dockerfile", 'FROM python:3.12-slim\nCOPY . /app\nCMD ["python", "/app/app.py"]\n'
    )
    shop.write("docker-compose.yml", COMPOSE)
    made = Team(shop, tmp_path / "alice")
    made.secrets("set", "TOKEN", stdin="one")
    made.secrets("set", "WORD", stdin="!")
    shop.commit("first")
    shop.push()
    assert shop.body() == "one!"
    return made


def release(clone: Clone) -> int:
    return int(clone.gear("releases", "--json").json()["live"])


def test_a_new_key_and_the_one_before(team: Team) -> None:
    clone, host = team.clone, team.clone.host
    old = host.gear("host", "key").out.strip()
    done = host.gear("host", "key", "--rotate")
    new = done.out.strip()
    assert new != old
    assert new.startswith("age1")
    assert f"gear secrets rotate --add host={new}" in done.err
    assert f"before it: {old}, which release shop 1 needs" in done.err
    file = host.folder / "secrets.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"public key: {new}\n" in file.read_text().partition("AGE-SECRET-KEY")[0]
    assert host.gear("host", "key", "--json").json() == {"key": new, "before": {old: ["shop 1"]}}

    # What runs is brought back, and a push that nobody has encrypted anew is taken.
    clone.gear("down")
    clone.gear("converge")
    assert clone.body() == "one!"
    clone.write("web/new.txt", "x")
    clone.commit("still for the old key")
    said = clone.push().err
    assert "TOKEN, WORD are encrypted to a key that this host had before" in said
    assert f"gear secrets rotate --add host={new}" in said
    assert release(clone) == 2

    # A file that is encrypted anew runs the same, and so it is the same release.
    team.secrets("rotate", "--add", f"host={new}")
    clone.commit("for the new key")
    said = clone.push().err
    assert "nothing to do, release 2 runs this already" in said
    assert "had before" not in said
    assert host.gear("host", "key", "--json").json()["before"] == {old: ["shop 1"]}
    clone.gear("rollback")
    assert clone.body() == "one!"
    assert release(clone) == 1

    # The last release that needs it goes with the sixth push; the key goes, too.
    for number in range(3, 8):
        team.secrets("set", "TOKEN", stdin=str(number))
        clone.commit(f"token {number}")
        said = clone.push().err
        assert clone.body() == f"{number}!"
        if f"{old}, a key that this host had before, is needed no more: deleted" in said:
            break
    assert host_key.publics(host.folder) == (new,)
    assert old not in file.read_text()
    kept = sorted(int(path.name) for path in (clone.state / "releases").iterdir())
    assert 1 not in kept
    clone.gear("rollback", str(kept[0]))
    assert clone.body() in ("one!", "3!")


def test_a_file_for_a_key_that_the_host_has_not(team: Team) -> None:
    clone, host = team.clone, team.clone.host
    old = host.gear("host", "key").out.strip()
    (host.folder / "secrets.key").unlink()
    host.gear("host", "init", "--engine", "embedded")
    new = host.gear("host", "key").out.strip()
    clone.write("web/new.txt", "x")
    clone.commit("for a host of before")
    said = clone.refused()
    assert f"this host's key is {new}; they are for host={old}" in said
    assert f"gear secrets rotate --add host={new}" in said
    assert "build release" not in said
    assert clone.body() == "one!", "what runs goes on"
    said = clone.gear("restart", code=0).err
    clone.gear("down")
    failed = clone.gear("converge", code=None)
    assert failed.code != 0
    assert f"this host's key is {new}" in failed.err
    team.secrets("rotate", "--add", f"host={new}")
    clone.commit("for this host")
    clone.push()
    assert clone.body() == "one!"


def test_keys_that_are_made_at_once_are_all_kept(host: HostFolder) -> None:
    threads = [threading.Thread(target=host_key.rotate, args=(host.folder,)) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    known = host_key.publics(host.folder)
    assert len(set(known)) == 9
    host_key.drop(host.folder, known)
    assert host_key.publics(host.folder) == known[:1], "the newest stays"
    assert not re.search(known[1], (host.folder / "secrets.key").read_text())


def test_a_host_without_a_key_takes_what_has_no_secrets(shop: Clone) -> None:
    (shop.host.folder / "secrets.key").unlink()
    shop.push()
    assert shop.body() == "hello 1\n"
    shop.gear("restart", "web")
    assert "this host has no key for secrets" in shop.host.gear("host", "key", code=4).err
    assert "no key" in shop.host.gear("host", "key", "--rotate", code=4).err
