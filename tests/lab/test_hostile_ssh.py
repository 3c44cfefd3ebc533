"""Somebody with a key that may read one app tries everything else, over a real sshd."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.running import APPS, until
from tests.lab.hostile import CANARY, MINE, OTHERS, SECRET, lines
from tests.lab.laptop import HOST, Clone, Laptop
from tests.lab.site import Site

COUNT = 2000 if os.environ.get("GEAR_HOSTILE") == "full" else 200
SEED = int(os.environ.get("GEAR_SEED", "20261126"))
AT_ONCE = 8  # below sshd's MaxSessions of one connection
SCRIPT = f"""
find /var/lib/geartrain -type f ! -name audit.log ! -name 'keys.lock' ! -path '*/logs/*' \\
    -exec sha256sum {{}} + | sort
find /var/lib/geartrain /tmp /root /home -printf '%p %u %m %l\\n' | grep -v 'systemd-private' | sort
docker ps --all --no-trunc --format '{{{{.ID}}}} {{{{.Names}}}}' | sort
docker ps -q | xargs docker inspect --format '{{{{.Id}}}} {{{{.State.StartedAt}}}}' | sort
docker images --no-trunc --quiet | sort
find / -xdev -name '{CANARY}*'
cat /etc/passwd /etc/shadow
systemctl list-units --state=active --plain --no-legend 'geartrain*'
"""  # fmt: skip


@pytest.fixture
def stranger(site: Site, tmp_path: Path) -> Iterator[Laptop]:
    """Whose key may read one app; another app has something to hide."""
    site.laptop.gear("app", "create", OTHERS)
    vault = Clone(site.laptop, OTHERS, APPS / "hello")
    text = (vault.folder / "docker-compose.yml").read_text()
    compose = text.replace('    ports: ["${EDGE_PORT:-8080}:8080"]\n', "")
    vault.change("docker-compose.yml", f"x-gear: {{domains: [{OTHERS}.gear.test]}}\n{compose}")
    vault.change("VERSION", f"{SECRET}\n")
    vault.commit(SECRET)  # `gear releases` would tell
    site.laptop.gear("app", "env", OTHERS, f"TOKEN={SECRET}")
    vault.push()
    until(lambda: _is_quiet(site), "its certificate is there, and nobody is at work")
    made = Laptop(tmp_path)
    made.know(site.server)
    site.laptop.gear(
        "keys", "add", "mallory", "--role", "read", "--app", MINE, stdin=made.public.read_text()
    )
    yield made
    site.laptop.gear("keys", "remove", "mallory")
    site.laptop.gear("destroy", OTHERS, "--data", "--yes")


def _is_quiet(site: Site) -> bool:
    """What a push leaves to be done is done: the certificate, old instances, the monitor."""
    rows = site.laptop.json("tls", "list")
    left = site.laptop.root("pgrep --full '[g]eartrain.(cli.receive|engine.docker)'", code=None)
    return left.code == 1 and all(row["certificate"] for row in rows)


def asked(site: Site) -> list[dict[str, Any]]:
    """What the audit log has of the stranger."""
    text = site.laptop.root("cat /var/lib/geartrain/audit.log").out
    every = [msgspec.json.decode(line, type=dict) for line in text.split("\n") if line]
    return [one for one in every if one["key"] == "mallory"]


def test_hostile_command_lines_do_nothing(site: Site, stranger: Laptop) -> None:
    site.settled()
    sys.stderr.write(f"\n{COUNT} command lines, GEAR_SEED={SEED} for the same\n")
    shared = ("-o", "ControlMaster=auto", "-o", f"ControlPath=/tmp/gear-%C-{os.getpid()}",
              "-o", "ControlPersist=60")  # fmt: skip

    def attempt(line: bytes) -> tuple[bytes, int, bytes]:
        done = subprocess.run(
            ["ssh", *shared, f"gear@{HOST}", "--", line], env=stranger.environment,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        return line, done.returncode, done.stdout + done.stderr

    _, code, said = attempt(b"gear ps --app shop")  # from now on one connection is shared
    assert (code, b"backend" in said) == (0, True), "the key is not good for what it is for"
    before, known = site.laptop.root(SCRIPT).out, len(asked(site))
    assert SECRET not in before
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            answers = list(pool.map(attempt, lines(SEED, COUNT)))
        finally:
            stop = ["ssh", *shared, "-O", "exit", f"gear@{HOST}"]
            subprocess.run(stop, env=stranger.environment, capture_output=True, check=False)
    for line, _, said in answers:
        for telling in (SECRET, "refs/heads/", "uid=", "root:x:0", "Traceback"):
            assert telling.encode() not in said, (line[:300], said[:3000])
    after = site.laptop.root(SCRIPT).out
    assert sorted(set(after.splitlines()) ^ set(before.splitlines())) == []
    written = asked(site)[known:]
    assert len(written) == len(answers)
    codes = Counter(code for _, code, _ in answers)
    refused = sum("refused" in one for one in written)
    sys.stderr.write(f"exit codes {dict(codes)}; {refused} refused by their first look\n")
    assert codes[255] == 0, "ssh itself failed"
