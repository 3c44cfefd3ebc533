"""What `gear up` does with a Compose file that is read and found good."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import click

from geartrain.cli import after_up, session, trouble
from geartrain.cli.logs import follow
from geartrain.cli.output import as_json as print_json
from geartrain.cli.output import note
from geartrain.cli.place import Place
from geartrain.cli.releasing import plain, release, show
from geartrain.engine.embedded import encryption
from geartrain.engine.embedded.host import Host
from geartrain.engine.embedded.supervisor.client import Client, connect, ensure
from geartrain.errors import GearError
from geartrain.load import Loaded
from geartrain.release.history import History


def bring_up(
    project: Path,
    loaded: Loaded,
    began: float,
    ports: Sequence[str],
    *,
    detach: bool,
    as_json: bool,
    tls: bool | None,
    again: session.Load | None,
) -> int:
    """Release what was loaded, tell of it, and stay or leave.

    Args:
        project: folder of the Compose file.
        loaded: what it says.
        began: when the command started (`time.monotonic`).
        ports: values of `--port`.
        detach: leave it running in the background.
        as_json: tell of it in JSON.
        tls: serve with TLS; None as the last time.
        again: reads the file once more, to release each change; None not to.

    Returns:
        The exit code.
    """
    host = Host(project)
    host.create()
    trouble.tell(Place(name=project.name, home=host))
    _end_in_order()
    with host.lock("`gear up`", note):
        moved = _move_ports(host, loaded, ports)
        for said in encryption.settle(host, loaded.app, wanted=tls):
            note(said)
        running = _runs(host)
        owner = None if detach else _own(host)
        try:
            result, known = release(host, loaded, began)
        except BaseException:
            # What serves already must be left as it is.
            if not running or History(host.repository).desired().live is None:
                _stop(host)
            raise
    if as_json:
        print_json(plain(result))
    else:
        show(result, moved=moved)
    ended = threading.Event()
    leaves = detach and again is None
    after_up.watch(host, result, known, None if leaves else ended)
    return 0 if leaves else _stay(host, owner, again, ended)


def _move_ports(host: Host, loaded: Loaded, ports: Sequence[str]) -> bool:
    from geartrain.app.routes import sites
    from geartrain.engine.embedded.ports import LOOPBACK
    from geartrain.engine.listeners import holder

    for text in ports:
        asked, _, here = text.rpartition("=")
        if not here.isdigit() or not (asked or "0").isdigit() or not 0 < int(here) < 65536:
            raise click.BadParameter(f"{text!r} is not [PORT=]HERE", param_hint="--port")
        first = next((site.port for site in sites(loaded.app)), 80)
        port = int(asked) if asked else first
        if host.facts.ports.get(str(port)) != int(here) and (who := holder(LOOPBACK, int(here))):
            raise GearError(f"port {here} is held by {who}", remedy="choose another one")
        host.remember_port(port, int(here))
    return bool(ports)


def _own(host: Host) -> Client | None:
    """Own what is started here: it ends with this process, however that ends.

    Returns:
        The connection that holds it, or None when it ran already.
    """
    if other := connect(host.run):
        other.close()
        return None
    client = ensure(host.run, host.logs)
    client.lease()
    return client


def _runs(host: Host) -> bool:
    """Whether anything of this host runs."""
    if client := connect(host.run):
        with client:
            return any(one["pid"] for one in client.ask("observe")["instances"])
    return False


def _stop(host: Host) -> None:
    """After a first start that failed nothing stays behind."""
    if client := connect(host.run):
        client.ask("shutdown")
        client.ended()


def _end_in_order() -> None:
    """A closed terminal or `kill` is as good as Ctrl-C."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)


def _stay(
    host: Host, owner: Client | None, load: session.Load | None, ended: threading.Event
) -> int:
    """Follow the logs until Ctrl-C; stop everything if this process started it."""
    try:
        if owner is None:
            note("attached to what runs already: Ctrl-C lets go of it")
        if load:
            from geartrain.cli.watch import watch_and_release

            arguments = (host, load, ended)
            threading.Thread(target=watch_and_release, args=arguments, daemon=True).start()
        follow(Place(name=host.project.name, home=host), ())
    except KeyboardInterrupt:
        note("")
    finally:
        ended.set()
    if owner is None:
        return 0
    note("stopping …")
    try:
        owner.ask("shutdown")
        owner.ended()
    except GearError:
        note("it had ended already; `gear logs` shows what happened")
        return 1
    return 0
