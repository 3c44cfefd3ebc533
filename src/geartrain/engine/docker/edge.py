"""The edge of a host: one nginx container for all its apps, and the switch of one of them.

It runs in the machine's own network: it listens wherever an app asks it to
without being made anew, sees clients' own addresses, and reaches every app's
network while no app reaches another's.

Each generation of its configuration is a folder with `nginx.conf`, and for
each app `apps/NAME.conf` and `apps/NAME.json`, what it claims. `current` is a
link to one of them; all of it is mounted at the same path as here. The switch
is: replace the app's claim, write everything anew from what all claim, test
the whole, move the link, signal, and wait until the private address answers
with the new generation.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from geartrain import durable
from geartrain.app.release import InstanceId
from geartrain.engine import nginx
from geartrain.engine.docker import api, project
from geartrain.engine.docker.client import docker
from geartrain.engine.docker.host import DockerHost
from geartrain.engine.docker.images.ensure import ensure as ensure_images
from geartrain.engine.docker.observing import Container, inspect
from geartrain.errors import GearError
from geartrain.render import compose, containers
from geartrain.render.files import File, Tree
from geartrain.render.nginx.binding import Binding
from geartrain.render.nginx.claims import FORMAT, Claim, agree, conflict
from geartrain.render.nginx.shared import edge_files, host_files
from geartrain.render.nginx.tls import OPTIONAL, Served

NAME = "edge"
IMAGE = "nginx:latest"
KEPT = 3
CPU_SHARES = 8192  # of which a container has 1024: an app that computes holds up no other's answers
START_WITHIN = 15.0
CONFIRM_WITHIN = 10.0
AGAIN = 0.005
LAST_WORDS = 5  # seconds for answers under way when the edge itself ends
# Its master opens ports and logs as root; its workers are somebody else.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID")
IDENTITY = InstanceId(service=NAME)


def find(host: DockerHost) -> Container | None:
    """The edge's container, if it is there."""
    return next(iter(inspect(host.edge_container)), None)


# -- its configuration ----------------------------------------------------


def binding(host: DockerHost, generation: str, **rest: object) -> Binding:
    """Where the edge has what on this host; `rest` is the app's part."""
    fields: Mapping[str, object] = {"listen": {}, "servers": {}, "root": str(host.edge), **rest}
    return Binding(
        folder=str(host.edge / "run"),
        admin=host.facts.admin,
        generation=generation,
        user="nginx",
        access_log=str(host.edge / "logs" / "access.log"),
        challenges=str(host.certificates.public),
        **fields,  # type: ignore[arg-type]  # named above and by the caller
    )


def current(host: DockerHost) -> str:
    """The generation that nginx would read now, or "" when there is none."""
    link = host.edge / "current"
    return link.readlink().name if (link / "nginx.conf").exists() else ""


def claims(host: DockerHost) -> dict[str, Claim]:
    """What each app claims in the generation that nginx would read."""
    found = {}
    # By the generation's own name: another app's switch may move the link meanwhile.
    for path in sorted((host.edge / "current").resolve().glob("apps/*.json")):
        found[path.stem] = msgspec.json.decode(path.read_bytes(), type=Claim)
    return found


def refuse_conflict(host: DockerHost, claim: Claim) -> None:
    """Raise when another app of the host has what this one claims."""
    others = [agree(other, claim) for other in claims(host).values()]
    if wrong := conflict(claim, others):
        raise GearError(
            wrong,
            where="x-gear.domains" if claim.domains else "ports",
            remedy="give one of them another: domains are x-gear.domains at the top of the"
            " Compose file, paths are x-gear.routes of the web service, ports are those that it"
            " publishes",
        )


def prepare(host: DockerHost, app: str, claim: Claim | None) -> str:
    """Write the generation in which an app has another part. Returns its name.

    Args:
        host: the host, whose edge lock the caller holds.
        app: the app.
        claim: what it claims; None takes the app away.

    Raises:
        InvalidError: something of it cannot be written in nginx's language.
    """
    before = claims(host)
    others = [one for name, one in before.items() if name != app]
    every = [*others]
    if claim is not None:
        every = [*(agree(one, claim) for one in others), claim]
    every = [replace(one, format=FORMAT) if one.whole else one for one in every]
    folder = host.edge / "current" / "apps"
    kept = {one.app: (folder / f"{one.app}.conf").read_text() for one in every if not one.whole}
    served = _served(host, every)
    hybrid = not any(one.tls for one in every) or _hybrid(host)

    def files(generation: str) -> Tree:
        made = edge_files(every, binding(host, generation, hybrid=hybrid), served, kept)
        claimed = {f"apps/{one.app}.json": msgspec.json.encode(one).decode() for one in every}
        return {**made, **{path: File(0o644, text) for path, text in claimed.items()}}

    texts = sorted((path, file.text) for path, file in files("any").items())
    key = hashlib.sha256(repr(texts).encode()).hexdigest()
    name = f"{app}-{claim.release if claim else 0}-{key[:8]}"
    _write(host.edge, name, files(name))
    return name


def _served(host: DockerHost, every: Sequence[Claim]) -> dict[str, Served]:
    """Fingerprint → the certificate, of all that are served."""
    found = {}
    for fingerprint in {mark for claim in every for mark in claim.certificates.values()}:
        certificate, key = host.certificates.files(fingerprint)
        found[fingerprint] = Served(certificate=str(certificate), key=str(key), mark=fingerprint)
    return found


def _hybrid(host: DockerHost) -> bool:
    """Whether the nginx that runs takes groups that it may not know: images bring many."""
    try:
        return nginx.openssl(api.execute(host.edge_container, ("nginx", "-V"))[1]) >= OPTIONAL
    except GearError:  # the last app is taken away from an edge that does not run
        return False


def _write(folder: Path, name: str, tree: Mapping[str, File]) -> None:
    if (folder / "current").is_symlink() and (folder / "current").readlink().name == name:
        return  # the name tells the content
    half = folder / f".{name}.new"
    shutil.rmtree(half, ignore_errors=True)
    (half / "apps").mkdir(parents=True)
    for path, file in tree.items():
        (half / path).write_text(file.text)
        (half / path).chmod(file.mode)
    durable.sync_tree(half)
    shutil.rmtree(folder / name, ignore_errors=True)
    half.rename(folder / name)
    durable.sync_folder(folder)


# -- its container ----------------------------------------------------------


def ensure(host: DockerHost, environ: Mapping[str, str]) -> Container:
    """Make and start the edge's container where it does not run; a first one serves nothing.

    Args:
        host: the host, whose edge lock the caller holds.
        environ: the caller's environment.

    Raises:
        GearError: it does not start.
    """
    if (there := find(host)) is not None and there.running:
        return there
    if not current(host):
        name = "none-0"
        _write(host.edge, name, host_files((), binding(host, name)))
        point(host, name)
    file = host.edge / "compose.json"
    image = ensure_images([IMAGE], lambda _: None, environ=environ)[IMAGE]
    project.write(file, compose_file(host, image))
    done = project.up(file, [NAME], environ)
    end = time.monotonic() + START_WITHIN
    while nginx.generation(host.facts.admin) != current(host):
        found = find(host)
        if done.code or found is None or not found.running or time.monotonic() > end:
            said = docker("logs", "--tail=10", "--", host.edge_container, check=False)
            raise GearError(
                "nginx does not start",
                where=host.edge_container,
                tail=(done.err if done.code else said.err).strip().splitlines()[-10:],
            )
        time.sleep(AGAIN)
    made = find(host)
    if made is None:
        raise GearError("nginx ended", where=host.edge_container)
    return made


def remove(host: DockerHost) -> None:
    """End the edge: nothing is left to be served. The caller holds the edge lock."""
    if find(host) is not None:
        docker("stop", f"--time={LAST_WORDS}", "--", host.edge_container, check=False)
        docker("rm", "--force", "--volumes", "--", host.edge_container, check=False)


def compose_file(host: DockerHost, image: str) -> str:
    """The Compose file of the edge."""
    folder = str(host.edge)
    name = host.edge_container
    service = {
        "image": image,
        "pull_policy": "never",
        "container_name": name,
        "labels": {
            containers.HOST: host.facts.id,
            containers.SERVICE: NAME,
            containers.INDEX: "1",
            containers.ROLE: NAME,
        },
        "entrypoint": ["nginx", "-p", folder, "-e", "stderr", "-c", f"{folder}/current/nginx.conf"],
        "command": [],
        "network_mode": "host",
        "cpu_shares": CPU_SHARES,
        "restart": compose.ALWAYS,
        "stop_signal": "SIGQUIT",
        "stop_grace_period": "10s",
        **compose.hardening(root=False, read_only=True),
        "cap_add": list(CAPABILITIES),
        "volumes": [
            compose.bind(compose.Bind(source=folder, target=folder, read_only=True)),
            *(compose.bind(compose.Bind(source=f"{folder}/{part}", target=f"{folder}/{part}"))
              for part in ("run", "logs")),
        ],
    }  # fmt: skip
    return compose.write(name, {NAME: service})


# -- the switch -------------------------------------------------------------


def test(host: DockerHost, generation: str) -> str:
    """What nginx says against a generation, or ""."""
    path = str(host.edge / generation / "nginx.conf")
    words = ("nginx", "-t", "-q", "-e", "stderr", "-p", str(host.edge), "-c", path)
    code, said = api.execute(host.edge_container, words)
    return "" if code == 0 else said.strip()


def switch(host: DockerHost, master: int, generation: str, verify: Callable[[], str]) -> list[int]:
    """Make a tested generation the one that answers. The caller holds the edge lock.

    Args:
        host: the host.
        master: pid of the running nginx.
        generation: its name.
        verify: says what is wrong with it once it answers.

    Returns:
        The workers of the generation before: they take no new connections, but
        requests of theirs may be under way until each has ended.

    Raises:
        GearError: it did not answer; the one before goes on.
    """
    before = current(host)
    if generation == before and nginx.generation(host.facts.admin) == generation:
        if wrong := verify():
            raise GearError(wrong)
        return nginx.leaving(nginx.workers(master))
    # Before the signal: a worker that has not yet heard of it looks like any other.
    old = nginx.workers(master)
    point(host, generation)
    wrong = _reload(host, generation, old) or verify()
    if wrong:
        point(host, before)
        _reload(host, before, nginx.workers(master))
        raise GearError(wrong, remedy="`gear logs edge` shows why; the old release goes on")
    _prune(host, generation)
    return old


def _reload(host: DockerHost, generation: str, old: Sequence[int]) -> str:
    if api.post("containers", host.edge_container, "kill", signal="HUP") is None:
        return "nginx is gone"
    end = time.monotonic() + CONFIRM_WITHIN
    while nginx.generation(host.facts.admin) != generation:
        if time.monotonic() > end:
            return "nginx keeps its old configuration"
        time.sleep(AGAIN)
    nginx.wait_until_left(old, end)
    return ""


def point(host: DockerHost, generation: str) -> None:
    """Make a generation the one that nginx starts with."""
    fresh = host.edge / ".current.new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(generation)
    fresh.replace(host.edge / "current")
    durable.sync_folder(host.edge)


def _prune(host: DockerHost, generation: str) -> None:
    """Keep the last few generations, to look at and to go back to."""
    old = [p for p in host.edge.iterdir() if (p / "nginx.conf").exists() and not p.is_symlink()]
    old = sorted((p for p in old if p.name != generation), key=lambda p: p.stat().st_mtime)
    for place in old[:-KEPT]:
        shutil.rmtree(place, ignore_errors=True)
