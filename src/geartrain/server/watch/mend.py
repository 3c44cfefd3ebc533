"""What the watcher has done to one instance: a process of its own, that takes the app's lock.

It never waits for the lock: whoever holds it is at work on the app, and sees for himself.
Under the lock it looks again, restarts, and writes down that it did.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from geartrain.app.release import InstanceId, instances, scaled
from geartrain.engine import aside, nginx
from geartrain.engine.docker import api, edge, observing
from geartrain.engine.docker.host import DockerHome, DockerHost
from geartrain.engine.docker.observing import Container
from geartrain.errors import Exit, GearError
from geartrain.release import moves
from geartrain.release.apply import Silent
from geartrain.release.deploy import Cause
from geartrain.release.events import Event, What
from geartrain.release.history import Desired
from geartrain.release.ledger import DiskLedger
from geartrain.server import halting, journal
from geartrain.server.app import ServerApp
from geartrain.server.host import ServerHost
from geartrain.server.watch import NOT_NEEDED, looking
from geartrain.server.watch.judge import Found, rule

BY = "gear"
VIA = "watcher"
LAST_WORDS = 10.0  # seconds at most for one that hangs; its grace period is for one that works


def main() -> None:
    """Run it: the host's folder, the app ("" for the edge), the instance, and what is wrong."""
    folder, app, name, why = sys.argv[1:]
    try:
        host = ServerHost(Path(folder))
        sys.exit(_edge(host, why) if not app else _instance(ServerApp(host, app), name, why))
    except GearError as error:
        if error.code is not Exit.BUSY:
            said = f"{app or 'host'}: {name} could not be restarted: {error.what}"
            journal.send(app, "restart-failed", said, journal.ERROR, {"GEAR_INSTANCE": name})
            sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {error}\n")
        sys.exit(int(error.code))


def _instance(app: ServerApp, name: str, why: str) -> int:
    if aside.held(app.folder / "monitor.lock"):
        return Exit.BUSY  # right after its switch a release is taken back, not mended
    home = app.home()
    with home.lock("the watcher", wait=False):
        if not app.exists():
            return NOT_NEEDED
        ledger = app.ledger(home)
        desired = ledger.desired()
        live = ledger.read(None if desired.stopped else desired.live)
        if live is None or halting.halted(app.host.folder):
            return NOT_NEEDED
        live = scaled(live, desired.replicas)
        every = ((who, s) for s in live.app.services.values() for who in instances(live, s))
        who, service = next(((w, s) for w, s in every if w.name == name), (None, None))
        if who is None or service is None:
            return NOT_NEEDED
        home.project = home.releases / str(live.number) / "src"
        engine = app.engine(home)
        labels = DockerHome(DockerHost(app.host.folder), app.name, app.folder, app.folder).labels
        found = next((one for one in observing.labelled(labels) if one.instance == who), None)
        how = rule(service)
        resting = looking.at_rest(found, service)
        if resting is None and found is not None:
            seen, said = looking.ask(found, how)
            if seen in (Found.WELL, Found.STARTING):
                return NOT_NEEDED
            _restart(found, min(LAST_WORDS, service.stop_grace))
            _tell(ledger, desired, who, why or said)
            return Exit.OK
        if resting is None or resting[0] is not Found.GONE:
            return NOT_NEEDED
        cause = Cause(by=BY, via=VIA, why=why)
        moves.converge(engine, ledger, desired, Silent(), cause)
        _tell(ledger, ledger.desired(), who, why)
        return Exit.OK


def _restart(found: Container, grace: float) -> None:
    # A stopped process hears no signal but SIGKILL.
    seconds = 1 if looking.is_stopped(found) else max(1, round(grace))
    if api.post("containers", found.id, "restart", t=str(seconds)) is None:
        raise GearError("its container was removed meanwhile", code=Exit.BUSY)


def _tell(ledger: DiskLedger, desired: Desired, who: InstanceId, why: str) -> None:
    ledger.tell(
        desired,
        Event(
            what=What.RESTARTED, release=desired.live, by=BY, via=VIA, why=why,
            service=who.service, instance=who.name,
        ),
    )  # fmt: skip


def _edge(host: ServerHost, why: str) -> int:
    docker_host = DockerHost(host.folder)
    fd = aside.take(docker_host.edge / "lock")
    if fd is None:
        return Exit.BUSY
    try:
        claims = edge.claims(docker_host)
        if not claims or halting.halted(host.folder):
            return NOT_NEEDED
        found = edge.find(docker_host)
        if found is not None and found.running:
            if looking.ask_edge(found, docker_host)[0] is Found.WELL:
                return NOT_NEEDED
            _restart(found, edge.LAST_WORDS)
            _await_edge(docker_host)
        else:
            edge.ensure(docker_host, os.environ)
    finally:
        os.close(fd)
    journal.send("", "restarted", f"the edge was restarted: {why}", journal.WARNING,
                 {"GEAR_SERVICE": edge.NAME})  # fmt: skip
    for name in claims:
        _tell_of_edge(host, name, why)
    return Exit.OK


def _await_edge(host: DockerHost) -> None:
    end = time.monotonic() + edge.START_WITHIN
    while not nginx.generation(host.facts.admin):
        if time.monotonic() > end:
            raise GearError("nginx does not answer after a restart", where=host.edge_container)
        time.sleep(edge.AGAIN)


def _tell_of_edge(host: ServerHost, name: str, why: str) -> None:
    """Write it into the history of an app that it serves, unless somebody is at work there."""
    try:
        app = ServerApp(host, name)
        home = app.home()
        with home.lock("the watcher", wait=False):
            ledger = app.ledger(home)
            _tell(ledger, ledger.desired(), edge.IDENTITY, why)
    except GearError:
        return


if __name__ == "__main__":
    main()
