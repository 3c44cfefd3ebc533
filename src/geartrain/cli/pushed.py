"""A push that has arrived, in the process that goes on when its client has gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from geartrain.cli import caller
from geartrain.cli.machine import refusal
from geartrain.cli.output import note, show_error
from geartrain.cli.progress import Progress
from geartrain.engine.giving_way import give_way
from geartrain.errors import GearError
from geartrain.release.deploy import Result
from geartrain.release.session import Session
from geartrain.server import (
    branch,
    certificates,
    detached,
    jobs,
    monitor,
    pointing,
    update,
)
from geartrain.server.app import ServerApp
from geartrain.server.host import EngineKind, ServerHost
from geartrain.server.leaks.begin import Beside
from geartrain.server.presence import Presence
from geartrain.server.receive import Push, receive
from geartrain.server.secrets import old_keys
from geartrain.server.watched import Pushed

GIT_ENDS_WITHIN = 60.0  # seconds from the hook's end until Git has moved the branch


@dataclass(frozen=True)
class Arrived:
    """What Git says of a push.

    Attributes:
        lines: what the hook read, `OLD NEW REF` each.
        said: Git's variables.
        objects: the folder of its objects; None when it brought none.
        git: the pid of receive-pack.
        began: when it arrived (`time.monotonic`).
    """

    lines: Sequence[str]
    said: Mapping[str, str]
    objects: Path | None
    git: int
    began: float


def release(
    host: Path, name: str, arrived: Arrived, beside: Beside, tell: Callable[[int], None]
) -> None:
    """Release what was pushed.

    Args:
        host: the host's folder.
        name: the app.
        arrived: the push.
        beside: the search of it for secrets.
        tell: told the exit code, which is Git's to judge.
    """
    try:
        app = ServerApp(ServerHost(host), name)
        push = Push(
            app=app,
            update=update.read(arrived.lines, app.ref),
            options=update.options(arrived.said),
            objects=arrived.objects,
            by=caller.name(),
        )
    except GearError as error:
        show_error(error)
        tell(int(error.code))
        return
    _release(push, arrived, beside, tell)


def _release(push: Push, arrived: Arrived, beside: Beside, tell: Callable[[int], None]) -> None:
    presence = Presence()
    presence.listen()
    app = push.app
    if app.host.facts.engine is EngineKind.DOCKER:  # elsewhere what serves is started from here
        give_way()
    home = app.home()
    live: list[dict[str, int]] = []

    def on_live(session: Session, seconds: float) -> None:
        live.append(monitor.restarts(session.engine.observe()))
        _say_live(session, seconds)

    try:
        with home.lock(f"`git push` of {push.by}", note, wait="no-wait" not in push.options):
            branch.follow(app.repository, app.ref, app.ledger(home).desired())
            done = receive(push, beside, presence, Progress(), note, on_live, arrived.began)
            if done.result is None:
                for step in done.plan or ("nothing to do",):
                    note(f"  {step}")
                note("this was only the plan: nothing was changed, and nothing is accepted")
                tell(1)
                return
            jobs.attend(app)
            asked = _say_certificates(app)
            _forget_old_keys(app)
            _say_end(app, arrived.began, done.result)
            tell(0)
            # Git moves the branch now; until then nobody else may.
            branch.wait_for(arrived.git, GIT_ENDS_WITHIN)
            branch.follow(app.repository, app.ref, app.ledger(home).desired())
        if asked:
            detached.leave(lambda: _get_certificates(app, push.by))
        if live and done.result:
            monitor.watch(Pushed(app), done.result.release.number, live[0])
    except GearError as error:
        presence.finish()
        show_error(error)
        tell(int(error.code))
    except OSError as error:
        presence.finish()
        said = refusal(error, app.folder)
        if said is None:
            raise
        show_error(said)
        tell(int(said.code))


def _say_live(session: Session, seconds: float) -> None:
    urls = " and ".join(session.engine.urls(session.release))
    at = f" at {urls}" if urls else ""
    note(f"  live{at} after {seconds:.2f} s")


def _say_certificates(app: ServerApp) -> bool:
    """Say which domains are on http; whether their certificates are asked for. None waits."""
    if app.host.facts.engine is not EngineKind.DOCKER:
        return False
    store = app.host.certificates
    every = certificates.domains(app)
    found = store.find(every)
    bare = [name for name in every if name not in found and not name.startswith("*")]
    if wide := [name for name in every if name not in found and name.startswith("*")]:
        note(f"  {', '.join(wide)}: on http; only `gear tls set` has a certificate for all below")
    if not bare:
        return False
    if store.settings().acme:
        note(f"  {', '.join(bare)}: on http until the certificate is there; it is asked for now")
        from concurrent.futures import ThreadPoolExecutor  # takes a while to load

        with ThreadPoolExecutor(len(bare)) as pool:
            for name, where in zip(bare, pool.map(pointing.astray, bare), strict=True):
                if where:
                    note(f"  {name} {where}: it is on http until it leads here")
        return True
    note(f"  {', '.join(bare)}: on http; `gear tls settings --acme` and `gear tls set` end that")
    return False


def _forget_old_keys(app: ServerApp) -> None:
    for name in old_keys.forget(app.host, app.name):
        note(f"  {name}, a key that this host had before, is needed no more: deleted")


def _get_certificates(app: ServerApp, by: str) -> None:
    from geartrain.server import renewal

    renewal.renew(app.host, by, lambda _: None)


def _say_end(app: ServerApp, began: float, result: Result) -> None:
    number = app.ledger(app.home()).desired().live
    if not result.changed:
        note(f"{app.name}: nothing to do, release {number} runs this already")
        return
    if not result.drained:
        note("  old instances finish their last requests in the background")
    took = time.monotonic() - began
    note(f"{app.name}: release {number} is live, {took:.2f} s in all")
