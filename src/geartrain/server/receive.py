"""A push, from its objects in quarantine to a release that is live: what the hook does."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from geartrain.engine.home import Home
from geartrain.errors import GearError, InvalidError
from geartrain.load import Loaded
from geartrain.release import session
from geartrain.release.apply import Reporter
from geartrain.release.deploy import Cause, Result, deploy
from geartrain.release.git import Git
from geartrain.release.history import Desired
from geartrain.release.ledger import Source
from geartrain.release.session import Session
from geartrain.server.app import MEGABYTE, ServerApp
from geartrain.server.checks import checks
from geartrain.server.claims import refuse_taken, refuse_uninvited
from geartrain.server.leaks.begin import Beside
from geartrain.server.leaks.refusal import judge
from geartrain.server.presence import Attended, Presence
from geartrain.server.quarantine import Limits, Quarantine
from geartrain.server.reading import lend_files, read
from geartrain.server.secrets import care
from geartrain.server.secrets.opened import keep
from geartrain.server.update import Update

SUBJECTS = 20
DRAIN = 5.0  # seconds that a push waits for old instances; they go on without it


@dataclass(frozen=True, kw_only=True)
class Push:
    """What somebody wants to be live."""

    app: ServerApp
    update: Update
    options: frozenset[str]
    objects: Path | None
    by: str

    @property
    def quarantine(self) -> Quarantine:
        """Its objects."""
        return Quarantine(self.app.repository, self.objects)


@dataclass(frozen=True, kw_only=True)
class Received:
    """What came of it. Without a result only the plan was asked for."""

    plan: tuple[str, ...]
    result: Result | None


def receive(
    push: Push,
    beside: Beside,
    presence: Presence,
    reporter: Reporter,
    say: Callable[[str], None],
    on_live: Callable[[Session, float], None],
    began: float,
) -> Received:
    """Release a pushed commit. The caller holds the app's lock.

    Args:
        push: what was pushed.
        beside: the search of it for secrets, which goes on.
        presence: whether somebody waits for it.
        reporter: shows progress.
        say: told what is worth knowing besides.
        on_live: told at the switch, with the seconds that it took.
        began: when the push arrived (`time.monotonic`).

    Raises:
        GearError: it is refused, or failed; the release before is as it was.
    """
    app = push.app
    threading.Thread(target=app.warm_up, daemon=True).start()
    home = app.home()
    ledger = app.ledger(home)
    desired = ledger.desired()
    _still_at(push)
    with _checkout(push, home, say) as (source, loaded):
        refuse_taken(app, loaded.app)
        refuse_uninvited(app, loaded.app, push.by)
        judge(beside, say)
        push.quarantine.keep()
        chosen = ledger.choose(loaded.app, source, desired, summary=f"by {push.by}")
        ready = session.prepare(
            chosen, app.engine(home), ledger, desired, notices=loaded.notices, tested=True
        )
        if ready.new:
            for notice in ready.notices:
                say(f"  · {notice}")
        if "plan" in push.options:
            return Received(plan=tuple(map(str, ready.steps)), result=None)
        if ready.new:
            ledger.save(chosen, source)
        keep(home.releases / str(chosen.number), home.project)
        if ready.new:
            _give_checkout(home, chosen.number)
        cause = Cause(
            by=push.by,
            via="git push",
            since=desired.commit,
            commits=_subjects(push, desired),
        )
        try:
            result = deploy(
                ready,
                source,
                cause,
                Attended(reporter, presence),
                began,
                checks=checks(app, home),
                commit=push.update.new,
                drain=DRAIN,
                on_live=lambda seconds: on_live(ready, seconds),
            )
        except GearError as error:
            # Whoever pushes may not know what the app has printed before it failed.
            with contextlib.suppress(GearError):  # what failed before is what is told
                care.hide(error, app.values(home).of(ready.release))
            raise
    presence.finish()
    return Received(plan=(), result=result)


def _still_at(push: Push) -> None:
    """Git itself would refuse the ref later, when the release was live already."""
    now = Git(push.app.repository).at(push.app.ref)
    if now != push.update.old:
        raise InvalidError(
            f"{push.app.facts.branch} is at {now[:12] or 'nothing'} by now,"
            f" and this push was made for {push.update.old[:12] or 'an empty one'}",
            remedy="git fetch, and push again",
        )


@contextmanager
def _checkout(
    push: Push, home: Home, say: Callable[[str], None]
) -> Iterator[tuple[Source, Loaded]]:
    """The commit in a fresh folder, read; the folder goes, unless the release took it."""
    app, commit = push.app, push.update.new
    shutil.rmtree(app.incoming, ignore_errors=True)  # what a killed push left
    app.incoming.mkdir(mode=0o755)
    folder = app.incoming.resolve() / commit
    quarantine = push.quarantine
    limits = Limits(files=app.facts.most_files, size=app.facts.most_megabytes * MEGABYTE)
    try:
        tree = quarantine.tree_of(commit)
        for notice in quarantine.weigh(tree, limits):
            say(f"  · {notice}")
        quarantine.check_out(commit, folder)
        home.project = folder
        loaded = read(app, folder, commit)
        lend_files(app, loaded, folder)
        yield Source(tree=tree, commit=commit), loaded
    finally:
        shutil.rmtree(app.incoming, ignore_errors=True)


def _give_checkout(home: Home, number: int) -> None:
    """Make the checkout the release's own, where it has none yet."""
    own = home.releases / str(number) / "src"
    if not own.exists():
        home.project.rename(own)
    home.project = own


def _subjects(push: Push, desired: Desired) -> tuple[str, ...]:
    """The subjects of the commits since the live one, the newest first."""
    since = [f"^{desired.commit}"] if desired.commit else []
    listed = Git(push.app.repository)(
        "log", f"--max-count={SUBJECTS}", "--format=%h %s", push.update.new, *since, "--",
        check=False,
    )  # fmt: skip
    return tuple(line[:200] for line in listed.splitlines())
