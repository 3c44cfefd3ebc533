"""Pushes made to harm: none runs a command, reads another app, or changes what is live.

What an app's author may run is left out: commands, checks and Dockerfiles are theirs, and run
as the app. Everything else in a push is a text that somebody else wrote.

Thirty by default; `GEAR_HOSTILE=full` makes two hundred.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.cli.running import without_tails
from tests.server.conftest import made
from tests.server.pushing import Clone, clone_of

MOST = 200 if os.environ.get("GEAR_HOSTILE") == "full" else 30
SECRET = "victim-7Qd2Zk"
APP = {
    "build": ".",
    "ports": ["${EDGE_PORT:-8080}:8080"],
    "stop_grace_period": "2s",
    "x-gear": {"health": "/"},
}


@dataclass
class Scene:
    """An app that is pushed to, and one beside it that has a secret."""

    shop: Clone
    victim: Path
    canary: Path

    def texts(self) -> list[str]:
        """Words that do something where they are taken for more than a text."""
        touch = f"touch {self.canary}"
        return [
            f"$({touch})", f"`{touch}`", f"; {touch} ;", f"| {touch}", f"\n{touch}\n",
            f"'; {touch} #", f'"; {touch} #', f"--upload-pack={touch}", f"-oProxyCommand={touch}",
            f"ext::sh -c {touch}", f"\x1b]0;{touch}\x07", "../../victim", "../../../../etc/passwd",
            "/etc/passwd", str(self.victim), f"; }} location /x {{ alias {self.victim}/; }} #",
            f"{{{{ {touch} }}}}", "${HOME}", "%(x)s", "a\x00b", "A" * 5000, "-rf", "--", ".", "..",
        ]  # fmt: skip


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    place = tmp_path_factory.mktemp("hostile")
    host = made(place)
    shop = clone_of(host, "shop", place)
    shop.push()
    shop.git("branch", "good")
    host.create("victim")
    victim = host.folder / "apps" / "victim"
    (victim / "files").mkdir(exist_ok=True)
    (victim / "files" / "secret.txt").write_text(SECRET)
    (victim / "files" / "secret.yml").write_text(f"services: {{x: {{image: {SECRET}}}}}\n")
    yield Scene(shop, victim, place / "canary")
    host.finish()


Attack = Callable[[Scene, random.Random], tuple[str, ...]]
"""Changes the clone, and returns what `git push` is given after the remote."""


def compose(scene: Scene, service: dict[str, object], **more: object) -> tuple[str, ...]:
    text = yaml.safe_dump({"services": {"web": {**APP, **service}}, **more})
    (scene.shop.folder / "docker-compose.yml").write_text(text)
    return ("main",)


def paths(scene: Scene, choice: random.Random) -> str:
    """A way to the other app's secret, or a word that runs something."""
    own = scene.shop.state / "releases" / "2" / "src"
    relative = os.path.relpath(scene.victim / "files" / "secret.txt", own)
    return choice.choice([relative, str(scene.victim / "files" / "secret.txt"), *scene.texts()])


def in_a_key(scene: Scene, choice: random.Random) -> tuple[str, ...]:
    word = choice.choice(scene.texts())
    key = choice.choice(
        ["image", "working_dir", "stop_signal", "container_name", "hostname", "user"]
    )
    return compose(scene, {key: word})


def in_x_gear(scene: Scene, choice: random.Random) -> tuple[str, ...]:
    word = choice.choice(scene.texts())
    key = choice.choice(["health", "routes", "static", "cache", "rate_limit", "port", word])
    value = {"routes": [word], "static": {f"/{word}": word}}.get(key, word)
    return compose(scene, {"x-gear": {"health": "/", key: value}})


def in_the_head(scene: Scene, choice: random.Random) -> tuple[str, ...]:
    word = choice.choice(scene.texts())
    key = choice.choice(["name", "domains", "hsts", "drain"])
    return compose(scene, {}, **{"x-gear": {key: [word] if key == "domains" else word}})


def in_a_name(scene: Scene, choice: random.Random) -> tuple[str, ...]:
    word = choice.choice(scene.texts())
    text = yaml.safe_dump({"services": {word: APP}, "volumes": {word: {}}, "networks": {word: {}}})
    (scene.shop.folder / "docker-compose.yml").write_text(text)
    return ("main",)


def in_a_path(scene: Scene, choice: random.Random) -> tuple[str, ...]:
    path = paths(scene, choice)
    return choice.choice([
        lambda: compose(scene, {"build": path}),
        lambda: compose(scene, {"build": {"context": ".", "dockerfile": path}}),
        lambda: compose(scene, {"env_file": path}),
        lambda: compose(scene, {"volumes": [f"{path}:/srv/x"]}),
        lambda: compose(scene, {"secrets": ["s"]}, secrets={"s": {"file": path}}),
        lambda: compose(scene, {"configs": ["c"]}, configs={"c": {"file": path}}),
        lambda: compose(scene, {"extends": {"file": path.replace("txt", "yml"), "service": "x"}}),
        lambda: compose(scene, {}, include=[path.replace("txt", "yml")]),
        lambda: compose(scene, {"x-gear": {"health": "/", "static": {"/x": path}}}),
    ])()  # fmt: skip


def in_a_link(scene: Scene, choice: random.Random) -> tuple[str, ...]:
    name = choice.choice([
        "docker-compose.yml", "Dockerfile", "app.py", "static/x", "gear.secrets.toml",
        "gear.leaks.toml", ".gitattributes",
    ])  # fmt: skip
    path = scene.shop.folder / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(choice.choice([
        scene.victim / "files" / "secret.txt", "/etc/passwd", "../../../../victim/files/secret.txt",
        "/proc/self/environ", "/dev/zero", name,
    ]))  # fmt: skip
    return ("main",)


def in_what_git_reads(scene: Scene, choice: random.Random) -> tuple[str, ...]:
    run = f"touch {scene.canary}"
    (scene.shop.folder / ".gitattributes").write_text(
        "* filter=x diff=x merge=x\n*.py ident text\n"
    )
    (scene.shop.folder / ".gitconfig").write_text(
        f'[filter "x"]\n smudge = {run}\n required = true\n'
    )
    word = choice.choice([f"ext::sh -c {run}", "--upload-pack=" + run, str(scene.victim)])
    (scene.shop.folder / ".gitmodules").write_text(
        f'[submodule "x"]\n path = x\n url = {word}\n update = !{run}\n'
    )
    scene.shop.git("add", "--all")
    scene.shop.git("update-index", "--add", "--cacheinfo", f"160000,{scene.shop.head()},x")
    return ("main",)


def in_nginx(scene: Scene, choice: random.Random) -> tuple[str, ...]:
    line = choice.choice([
        "include /etc/passwd;", f"root {scene.victim}/files;", f"alias {scene.victim}/files/;",
        f"access_log {scene.canary};", "load_module /tmp/x.so;", "perl_set $x 'sub { `id` }';",
        f"client_body_temp_path {scene.canary};", f"proxy_pass http://unix:{scene.victim}/run/x:;",
        f"ssl_certificate {scene.victim}/files/secret.txt;", f"error_log {scene.canary};",
    ])  # fmt: skip
    (scene.shop.folder / "nginx.conf").write_text(
        f"events {{}}\nhttp {{ server {{ listen 80; location / {{ proxy_pass http://web:8080; }}"
        f" location /x {{ {line} }} }} }}\n"
    )
    edge = {"image": "nginx", "ports": ["${EDGE_PORT:-8080}:80"],
            "volumes": ["./nginx.conf:/etc/nginx/nginx.conf:ro"]}  # fmt: skip
    web = {key: value for key, value in APP.items() if key != "ports"}
    text = yaml.safe_dump({"services": {"nginx": edge, "web": web}})
    (scene.shop.folder / "docker-compose.yml").write_text(text)
    return ("main",)


def in_what_is_pushed(scene: Scene, choice: random.Random) -> tuple[str, ...]:
    word = choice.choice([t for t in scene.texts() if not set(t) & set("\0\n") and len(t) < 200])
    (scene.shop.folder / "VERSION").write_text(f"{word}\n")
    return choice.choice([
        ("-o", word, "main"), ("-o", "plan", "-o", word, "main"),
        *[(f"HEAD:refs/heads/{name}",) for name in ("--upload-pack=x", "x;id", "$(id)", "a'b")],
        ("HEAD:refs/gear/log",), ("HEAD:refs/gear/releases/1",), ("--force", "HEAD:refs/gear/log"),
    ])  # fmt: skip


def in_a_file_s_name(scene: Scene, choice: random.Random) -> tuple[str, ...]:
    blob = scene.shop.git("hash-object", "-w", "VERSION").out.strip()
    word = choice.choice([t for t in scene.texts() if "\0" not in t and len(t) < 200])
    name = word.replace("/", "_") or "x"
    scene.shop.git("update-index", "--add", "--cacheinfo", f"100755,{blob},hooks_{name}")
    return ("main",)


ATTACKS: tuple[Attack, ...] = (
    in_a_key, in_x_gear, in_the_head, in_a_name, in_a_path, in_a_link, in_what_git_reads,
    in_nginx, in_what_is_pushed, in_a_file_s_name,
)  # fmt: skip
STAGED = (in_what_git_reads, in_a_file_s_name)  # what they put into the index is in no folder


@pytest.mark.slow
@pytest.mark.parametrize("number", range(MOST))
def test_no_push_does_harm(scene: Scene, number: int) -> None:
    shop, choice = scene.shop, random.Random(number)
    shop.git("checkout", "--quiet", "--force", "-B", "main", "good")
    shop.git("clean", "-fdxq")
    before = shop.remote()
    attack = ATTACKS[number % len(ATTACKS)]
    what = attack(scene, choice)
    if attack not in STAGED:
        shop.git("add", "--all")
    shop.git("commit", "--quiet", "--allow-empty", "-m", f"attack {number}")
    done = shop.git("push", "--force", "live", *what, code=None)
    # Git itself takes fright at some of this where it is checked out.
    shop.git("checkout", "--quiet", "--force", "-B", "main", "good")
    said = done.out + done.err
    assert "Traceback" not in without_tails(said), said
    assert not scene.canary.exists(), said
    assert SECRET not in said
    assert "root:x:0" not in said
    status, body = shop.get("/")
    assert (status, body[:6]) == (200, "hello "), said
    for path in ("/x", "/x/secret.txt", "/secret.txt", "/x/x"):
        assert SECRET not in shop.get(path)[1]
    assert (scene.victim / "files" / "secret.txt").read_text() == SECRET
    if done.code == 0:  # harmless after all, and released as it is
        shop.git("push", "--quiet", "--force", "live", "good:main")
    else:
        assert shop.remote() == before
        assert shop.events()[0]["what"] in ("live", "failed", "rolled back")
    assert shop.body() == "hello 1\n"
