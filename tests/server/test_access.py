"""SSH keys: what each may do, and what is refused. Git speaks to the real entry, without a network.

`tests/machine/test_ssh.py` does the same through sshd.
"""

from __future__ import annotations

import base64
import json
import os
import random
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from geartrain.cli import ssh, verbs
from geartrain.errors import GearError
from geartrain.server.access import authorized, keys, request
from geartrain.server.access.keys import Key, Role
from geartrain.server.host import ServerHost
from tests.server.pushing import Clone, HostFolder, clone_of

BLOB = base64.b64encode(b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00 " + bytes(32)).decode()
PUBLIC = f"ssh-ed25519 {BLOB}"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostFolder]:
    """A host of a user with a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    made = HostFolder(tmp_path / "host", env={"HOME": str(home)})
    made.gear("host", "init", "--engine", "embedded")
    yield made
    made.finish()


def add(host: HostFolder, name: str, *words: str, public: str = PUBLIC) -> None:
    host.gear("keys", "add", name, *words, stdin=f"{public} {name}@laptop\n")


def other_key(number: int) -> str:
    blob = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00 " + bytes([number]) * 32
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


def ask(host: HostFolder, key: str, text: str) -> subprocess.CompletedProcess[str]:
    """What sshd would run for a key that asks for something."""
    return subprocess.run(
        [sys.executable, "-m", "geartrain.cli.ssh", str(host.folder), key],
        env=host.environment({"SSH_ORIGINAL_COMMAND": text, "SSH_CONNECTION": "10.1.2.3 5 6 22"}),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def audit(host: HostFolder) -> list[dict[str, str]]:
    return [json.loads(line) for line in (host.folder / "audit.log").read_text().splitlines()]


# -- keys --------------------------------------------------------------------


def test_a_key_may_run_one_command_and_what_others_wrote_stays(host: HostFolder) -> None:
    file = Path(host.env["HOME"]) / ".ssh" / "authorized_keys"
    file.parent.mkdir(mode=0o700)
    file.write_text("ssh-ed25519 AAAA somebody\n# a remark\n")
    add(host, "alice")
    add(host, "bob", "--role", "read", "--app", "shop", public=other_key(1))
    first, remark, begin, alice, bob, end = file.read_text().splitlines()
    assert (first, remark) == ("ssh-ed25519 AAAA somebody", "# a remark")
    assert begin.endswith(str(host.folder))
    assert end.endswith(str(host.folder))
    assert alice.startswith('restrict,pty,command="')
    assert alice.endswith(f'geartrain.cli.ssh {host.folder} alice" {PUBLIC} gear:alice')
    assert bob.endswith(" gear:bob")
    assert file.stat().st_mode & 0o777 == 0o600

    assert [k["name"] for k in host.gear("keys", "list", "--json").json()] == ["alice", "bob"]
    assert "bob    read    shop" in host.gear("keys", "list").out
    host.gear("keys", "remove", "alice")
    host.gear("keys", "remove", "bob")
    assert file.read_text() == "ssh-ed25519 AAAA somebody\n# a remark\n"
    refused = host.gear("keys", "remove", "bobby", code=None)
    assert refused.code
    assert "there is no key 'bobby'" in refused.err


def test_hosts_of_one_user_write_their_keys_at_once(tmp_path: Path) -> None:
    folder = tmp_path / ".ssh"
    every = [Key(name=f"k{n}", role=Role.DEPLOY, public=other_key(n)) for n in range(20)]

    def grow(host: str) -> None:
        for count in range(1, len(every) + 1):
            authorized.write(folder, host, every[:count], ["gear"])

    hosts = ("/one", "/two", "/three")
    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(grow, hosts))
    lines = (folder / "authorized_keys").read_text().splitlines()
    assert len(lines) == len(hosts) * (len(every) + 2), "each has all of its keys, once"


def test_a_key_has_one_name(host: HostFolder) -> None:
    add(host, "alice")
    add(host, "alicia")
    assert [k["name"] for k in host.gear("keys", "list", "--json").json()] == ["alicia"]


def test_the_command_is_quoted_for_the_shell_of_sshd() -> None:
    key = Key(name="alice", role=Role.READ, public=PUBLIC)
    made = authorized.line(key, ["/opt/my gear/python", 'a"b\\c', "$(id)"])
    inside = made.removeprefix('restrict,pty,command="').partition('" ssh-ed25519')[0]
    said = inside.replace('\\"', '"').replace("\\\\", "\\")
    assert shlex.split(said) == ["/opt/my gear/python", 'a"b\\c', "$(id)", "alice"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "got 0 lines"),
        ("ssh-ed25519", "not base64|cut off"),
        (f"{PUBLIC}\n{other_key(1)}", "got 2 lines"),
        (PUBLIC[:-20], "cut off|not base64"),
        (f'command="sh" {PUBLIC}', "not a type of SSH key"),
        ("ssh-dss AAAA", "not a type of SSH key"),
        (f"ssh-rsa {BLOB}", "no ssh-rsa key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "private key"),
    ],
)
def test_what_is_no_public_key_is_refused(text: str, why: str) -> None:
    with pytest.raises(GearError, match=why):
        keys.public_key(text)


@pytest.mark.parametrize("name", ["", "Alice", "a b", "../x", "a\nb", "-x", 'a"', "a" * 65])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(GearError, match="not a name"):
        keys.make(name, Role.READ, (), PUBLIC)


def test_an_admin_s_key_is_for_the_whole_host() -> None:
    with pytest.raises(GearError, match="whole host"):
        keys.make("alice", Role.ADMIN, ("shop",), PUBLIC)


# -- what is asked for -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "program", "app"),
    [
        ("git-receive-pack 'shop'", "git-receive-pack", "shop"),
        ("git-receive-pack '/shop.git'", "git-receive-pack", "shop"),
        ("git upload-pack '/shop/'", "git-upload-pack", "shop"),
    ],
)
def test_git_s_own_words_are_known(text: str, program: str, app: str) -> None:
    assert request.parse(text) == request.GitRequest(program=program, app=app)


HOSTILE = [
    "", " ", "sh", "bash -i", "sh -c id", "git", "git-shell", "git shell", "scp -f /etc/passwd",
    "git-receive-pack", "git-receive-pack shop other", "git-receive-pack '../x'",
    "git-receive-pack --upload-pack=x", "git-receive-pack '-c core.x=y'", "git-upload-archive shop",
    "git-receive-pack '/var/lib/geartrain/apps/shop/repo.git'", "git -c x=y receive-pack shop",
    "git-receive-pack 'sh op'", "git-receive-pack 'shop;id'", "gear'", "gear \x00", "gear ps\nid",
    "gear ps --app ../x", "gear ps --app shop -C /etc", "gear ps -C/etc", "gear ps --host-dir /",
    "gear ps --app shop --project=/", "gear up", "gear up /", "gear new x", "gear check /",
    "gear eject", "gear host init", "gear plan -f /etc/passwd", "gear down /",
    "gear completion bash",
    "gear exec --project / web id", "gear db shell -C /", "gear -H x ps", "gear --host x ps",
    "gear keys add x --host-dir /", "gear ps; id", "gear ps && id", "gear `id`", "gear $(id)",
    "x" * 100_000, "gear logs " + "a " * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_not_ours_is_refused_to_everybody(host: HostFolder, text: str) -> None:
    of = ServerHost(host.folder)
    for role in Role:
        key = Key(name="mallory", role=role, public=PUBLIC)
        try:
            _, program = ssh.decide(of, key, text)
        except GearError:
            continue
        # `;` and the like are words of a command that does not take them: no shell reads them.
        outcome = subprocess.run(
            program, env=host.environment(), cwd="/", capture_output=True, text=True, check=False
        )
        assert outcome.returncode != 0
        assert "uid=" not in outcome.stdout


WORDS = [
    *(" ".join(path) for path in verbs.VERBS), "gear", "git-receive-pack", "git-upload-pack",
    "git", "shop", "other", "--app", "--app=other", "--app=shop", "-C", "/", "--project", "..",
    "--host-dir", ";", "&&", "|", "$(id)", "`id`", ">", "x", "'", '"', "\\", "\n", "--", "-", "-c",
    "sh", "--json", "--yes", "--data", "--every", "--all", "1", "web=2", "K=V", "\x1b[0m",
    "é" * 300,
    "--upload-pack=id", "--exec", "web", "id", "--volumes", "--role", "admin",
]  # fmt: skip


def test_whatever_is_asked_a_key_reaches_its_own_app_alone(host: HostFolder) -> None:
    for app in ("shop", "other"):
        host.create(app)
    of = ServerHost(host.folder)
    pick = random.Random(20261124)
    reader = Key(name="r", role=Role.READ, apps=("shop",), public=PUBLIC)
    deployer = Key(name="d", role=Role.DEPLOY, apps=("shop",), public=PUBLIC)
    allowed = 0
    for _ in range(2000):
        text = " ".join(pick.choice(WORDS) for _ in range(pick.randint(1, 6)))
        if pick.random() < 0.7:
            text = f"gear {text}"
        for key in (reader, deployer):
            try:
                _, program = ssh.decide(of, key, text)
            except GearError:
                continue
            allowed += 1
            assert program[0] in ("git", sys.executable)
            if program[0] == "git":
                assert program[2] == str(of.apps / "shop" / "repo.git")
                assert program[1] == "upload-pack" or key is deployer
                continue
            words = list(program[program.index("geartrain") + 1 :])
            if not words or words[0].startswith("--"):
                continue
            call = verbs.call(words)
            assert call.app == "shop"
            assert key.role.may(call.verb.role)
            assert not call.is_wide
    assert allowed > 50, "some of it is what a key may"


@pytest.mark.parametrize(
    ("role", "apps", "text", "why"),
    [
        (Role.READ, (), "git-receive-pack shop", "a push takes the role deploy"),
        (Role.READ, (), "gear rollback --app shop", "`gear rollback` takes the role deploy"),
        (Role.DEPLOY, (), "gear destroy shop", "takes the role admin"),
        (Role.DEPLOY, (), "gear keys list", "takes the role admin"),
        (Role.DEPLOY, (), "gear tls renew", "takes the role admin"),
        (Role.DEPLOY, ("shop",), "gear tls renew shop.test", "about the whole host"),
        (Role.ADMIN, (), "gear tls renew --host-dir /", "names a path"),
        (Role.DEPLOY, ("other",), "git-receive-pack shop", "not for the app 'shop'"),
        (Role.DEPLOY, ("other",), "gear ps --app shop", "not for the app 'shop'"),
        (Role.DEPLOY, ("other",), "gear app env shop X=1", "not for the app 'shop'"),
        (Role.DEPLOY, ("other",), "gear app list", "about the whole host"),
        (Role.DEPLOY, ("a", "b"), "gear ps", "about the whole host"),
        (Role.DEPLOY, (), "gear converge --all", "takes the role admin"),
        (Role.ADMIN, (), "gear up", "works on the machine itself only"),
        (Role.ADMIN, (), "gear pss", "there is no command"),
    ],
)
def test_what_a_key_may_not_is_said(
    host: HostFolder, role: Role, apps: tuple[str, ...], text: str, why: str
) -> None:
    host.create("shop")
    key = Key(name="alice", role=role, apps=apps, public=PUBLIC)
    with pytest.raises(GearError, match=why):
        ssh.decide(ServerHost(host.folder), key, text)


def test_every_verb_is_a_command_and_names_its_app_as_it_takes_it() -> None:
    for path, verb in verbs.VERBS.items():
        command = verbs._command(path)
        names = {parameter.name for parameter in command.params}
        assert {verb.app, verb.every} - {""} <= names, path


# -- the entry ---------------------------------------------------------------


def test_a_call_is_done_as_the_key_s_holder_and_written_down(host: HostFolder) -> None:
    add(host, "alice", "--role", "deploy", "--app", "shop")
    host.create("shop")
    seen = ask(host, "alice", "gear releases --json")
    assert seen.returncode == 0, seen.stderr
    assert json.loads(seen.stdout)["app"] == "shop"
    ask(host, "alice", "gear app env shop 'KEY=top secret'")
    denied = ask(host, "alice", "gear destroy shop")
    assert denied.returncode == 1
    assert "takes the role admin; alice's key has deploy" in denied.stderr
    assert ask(host, "bob", "gear ps").returncode == 1

    first, second, third = audit(host)
    assert (first["key"], first["from"]) == ("alice", "10.1.2.3")
    assert first["asked"] == "gear releases --json"
    assert "secret" not in (host.folder / "audit.log").read_text()
    assert second["asked"] == "gear app env shop KEY="
    assert "role admin" in third["refused"]
    assert (host.folder / "audit.log").stat().st_mode & 0o777 == 0o600


def test_what_is_no_text_is_refused_and_written_down(host: HostFolder) -> None:
    add(host, "alice")
    denied = ask(host, "alice", os.fsdecode(b"gear ps \xff\xfe"))
    assert (denied.returncode, denied.stdout) == (1, "")
    assert "characters in it that cannot be printed" in denied.stderr
    assert "Traceback" not in denied.stderr
    (written,) = audit(host)
    assert written["asked"] == "gear ps '\\udcff\\udcfe'"
    assert "cannot be printed" in written["refused"]


def test_a_full_record_is_kept_beside(host: HostFolder) -> None:
    add(host, "alice")
    (host.folder / "audit.log").write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    ask(host, "alice", "gear --version")
    assert len(audit(host)) == 1
    assert (host.folder / "audit.log.1").stat().st_size > 10 * 1024 * 1024


@pytest.fixture
def shop(host: HostFolder, tmp_path: Path) -> Clone:
    """A clone whose `ssh` is the host's entry itself."""
    add(host, "alice", "--role", "deploy", "--app", "shop")
    add(host, "rita", "--role", "read", public=other_key(1))
    made = clone_of(host, "shop", tmp_path)
    made.git("remote", "set-url", "live", "gear@example.test:shop")
    ssh_ = tmp_path / "ssh"
    ssh_.write_text(
        '#!/bin/sh\nwhile [ "$1" != gear@example.test ]; do shift; done\n'
        f'SSH_ORIGINAL_COMMAND="$2" exec {sys.executable} -m geartrain.cli.ssh'
        f' {host.folder} "$AS"\n'
    )
    ssh_.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ssh").symlink_to(ssh_)
    host.env |= {"GIT_SSH": "ssh", "AS": "alice"}
    host.env["PATH"] = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return made


def test_a_push_and_commands_go_over_ssh(shop: Clone) -> None:
    rita = {"AS": "rita"}
    said = shop.push()
    assert "release 1 is live" in said.err
    assert shop.body() == "hello 1\n"
    assert shop.events()[0]["by"] == "alice"

    denied = shop.push("HEAD:refs/heads/main", "--force", code=None, env=rita)
    assert "a push takes the role deploy; rita's key has read" in denied.err
    assert shop.git("ls-remote", "live", env=rita).out

    far = ("-H", "gear@example.test")
    ran = shop.host.gear(*far, "run", "web", "--", "sh", "-c", "cat VERSION; exit 7",
                         cwd=shop.folder, code=7)  # fmt: skip
    assert ran.out == "1\n"
    listed = shop.host.gear(*far, "ps", "--json", cwd=shop.folder, env=rita).json()
    assert {one["service"] for one in listed["instances"]} == {"edge", "web"}
    near = shop.host.gear("ps", cwd=shop.folder, code=1)
    assert "gear -H gear@example.test" in near.err
    elsewhere = shop.host.gear(*far, "ps", "--app", "../x", cwd="/", code=1)
    assert "not for the app" in elsewhere.err
    assert shop.events()[0]["what"] == "live"


@pytest.mark.parametrize(
    "host", ["-oProxyCommand=id", "", "a b", "x;id", "$(id)", "a@-b", "ssh://-b"]
)
def test_what_is_no_host_is_refused(tmp_path: Path, host: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "geartrain", "-H", host, "ps"], capture_output=True, text=True,
        env={**os.environ, "HOME": str(tmp_path)}, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "is not a host" in done.stderr
