"""The loop of the watcher: one process a host, which sleeps unless something is to be done.

It waits on Docker's event stream, looks at all containers every few seconds all the
same, and asks each how it is. What it decides to do is done by processes of their own
(`mend`, `gear job run`), so that it never waits for one, and stays small.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import FrameType

from msgspec import Struct

from geartrain.app.model import Role
from geartrain.app.release import InstanceId, instances
from geartrain.engine import aside
from geartrain.engine.docker import access_log, events
from geartrain.engine.docker.host import DockerHost
from geartrain.engine.docker.observing import Container
from geartrain.errors import Exit, GearError
from geartrain.server import halting
from geartrain.server.host import ServerHost
from geartrain.server.watch import NOT_NEEDED, agenda, looking
from geartrain.server.watch.book import Book, Wanted
from geartrain.server.watch.judge import Found, Rule, Ward, rule
from geartrain.server.watch.notify import ALIVE, READY, STOPPING, Notify

LOOK_EVERY = 2.5  # seconds
REST = 0.25  # seconds between two looks at least, however much happens
PATIENCE = (0.5, 10.0)  # seconds between two tries to reach the daemon, the first and the longest
AT_ONCE = 16  # instances that are asked at the same time
MEND_AT_MOST = 3600.0  # seconds for bringing one back, of which an image that is built takes most
BUSY_FOR = 2.0  # seconds until it is tried again where somebody else is at work
EDGE = ""  # in place of an app's name
THE_EDGE = InstanceId(service="edge")

Key = tuple[str, InstanceId]


class _Asked(Struct, kw_only=True):
    """A question under way."""

    answer: Future[tuple[Found, str]]
    of: Container
    how: Rule


class _Mending(Struct, kw_only=True):
    """A process that brings an instance back."""

    app: str
    who: InstanceId
    until: float


class Watcher:
    """Watches a host until it is told to end.

    Args:
        host: the host, with Docker.
        notify: tells systemd.
    """

    def __init__(self, host: ServerHost, notify: Notify) -> None:
        self._host = host
        self._docker = DockerHost(host.folder)
        self._notify = notify
        self._book = Book(host.apps)
        self._agenda = agenda.Agenda(host.folder)
        self._docker.create()
        self._eyes = looking.Eyes(self._docker)
        self._wards: dict[str, Ward] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._asked: dict[Key, _Asked] = {}
        self._asked_at: dict[Key, float] = {}
        self._rotating: Future[None] | None = None
        self._mending: dict[int, _Mending] = {}
        self._stream: events.Stream | None = None
        self._changed: frozenset[str] = frozenset()
        self._reach_at = 0.0
        self._pause = PATIENCE[0]
        self._silent = False
        self._ended = False
        self._woken, self._wake = os.pipe()
        for fd in (self._woken, self._wake):
            os.set_blocking(fd, False)

    # -- the loop -------------------------------------------------------------

    def run(self) -> None:
        """Watch."""
        self._listen_to_signals()
        self._notify(READY, "STATUS=watches")
        while not self._ended:
            began = time.monotonic()
            wanted = self._book.read()
            due = self._agenda.start_due(wanted, time.time())
            self._end_mending(began)
            if self._reach(began):
                self._round(wanted, began)
            self._wait(began, due)
        self._notify(STOPPING)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _listen_to_signals(self) -> None:
        def end(_number: int, _frame: FrameType | None) -> None:
            self._ended = True

        def look(_number: int, _frame: FrameType | None) -> None:
            """The wait is over by it: there is something to see."""

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        for number in (aside.WAKE, signal.SIGCHLD, signal.SIGHUP):
            signal.signal(number, look)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def _wait(self, began: float, due: float | None) -> None:
        """Sleep until something happens, or it is time to look."""
        seconds = LOOK_EVERY if self._stream else max(0.0, self._reach_at - time.monotonic())
        if due is not None:
            seconds = min(seconds, max(0.0, due - time.time()))
        waited: list[int | events.Stream] = [self._woken]
        if self._stream:
            waited.append(self._stream)
        ready, _, _ = select.select(waited, [], [], seconds)
        left = began + REST - time.monotonic()
        if left > 0 and not self._ended:
            time.sleep(left)
        if self._woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, 4096)
        if self._stream in ready:
            self._hear()

    def _hear(self) -> None:
        try:
            if self._stream:
                self._changed |= self._stream.read()
        except OSError:
            self._lose()

    # -- the daemon -----------------------------------------------------------

    def _reach(self, now: float) -> bool:
        """Whether the daemon can be asked; tries again, ever less often, where it cannot."""
        if self._stream:
            return True
        if now < self._reach_at:
            return False
        try:
            self._stream = events.Stream(self._eyes.labels)
        except (OSError, GearError):
            self._lose()
        if self._stream is None:
            if not events.listens():
                self._notify(ALIVE)  # there is none: that is known, and nothing hangs
            self._reach_at = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, PATIENCE[1])
            return False
        if self._silent:
            _say("Docker answers again")
        self._silent, self._pause = False, PATIENCE[0]
        return True

    def _lose(self) -> None:
        if self._stream:
            self._stream.close()
        self._stream = None
        if not self._silent:
            _say("Docker does not answer; waiting for it")
        self._silent = True

    # -- looking --------------------------------------------------------------

    def _round(self, wanted: Mapping[str, Wanted], now: float) -> None:
        changed, self._changed = self._changed, frozenset()
        try:
            seen = self._eyes.look(changed)
        except GearError:
            self._lose()
            return
        self._notify(ALIVE)
        if halting.halted(self._host.folder):
            self._wards.clear()
            return
        for key in [key for key in self._asked_at if key not in seen]:
            del self._asked_at[key]
            self._asked.pop(key, None)
        for app, one in wanted.items():
            self._see(app, one, seen, now)
        self._see_edge(seen, now)
        self._see_log()
        for gone in self._wards.keys() - wanted.keys() - {EDGE}:
            del self._wards[gone]
        for app, ward in self._wards.items():
            self._act(app, ward, now)

    def _see(self, app: str, wanted: Wanted, seen: looking.Seen, now: float) -> None:
        ward = self._wards.setdefault(app, Ward())
        mended = any(one.app == app for one in self._mending.values())
        every = []
        for service in wanted.release.app.services.values():
            how = rule(service)
            left_out = service.one_shot or service.role is Role.EDGE
            for who in () if left_out else instances(wanted.release, service):
                every.append(who)
                found = seen.get((app, who))
                resting = looking.at_rest(found, service)
                self._take(ward, (app, who), found, how, resting, now, mended=mended)
        ward.keep(every)

    def _see_edge(self, seen: looking.Seen, now: float) -> None:
        ward = self._wards.setdefault(EDGE, Ward())
        if not self._edge_is_wanted():
            ward.keep(())
            return
        key = (EDGE, THE_EDGE)
        found = seen.get(key)
        mended = any(one.app == EDGE for one in self._mending.values())
        resting = looking.edge_at_rest(found)
        self._take(ward, key, found, Rule(data=True), resting, now, mended=mended)

    def _see_log(self) -> None:
        """Have a large access log begun anew; whoever changes nginx is waited for aside."""
        if access_log.is_large(self._docker) and (self._rotating is None or self._rotating.done()):
            self._rotating = self._pool.submit(access_log.rotate, self._docker)

    def _edge_is_wanted(self) -> bool:
        """Whether an app is served."""
        return any((self._docker.edge / "current" / "apps").glob("*.json"))

    def _take(
        self, ward: Ward, key: Key, found: Container | None, how: Rule,
        resting: tuple[Found, str] | None, now: float, *, mended: bool,
    ) -> None:  # fmt: skip
        """Take down how an instance is; one that runs is asked, and its answer is taken later."""
        app, who = key
        asked = self._asked.get(key)
        if asked and asked.answer.done():
            del self._asked[key]
            same = found and (found.id, found.started) == (asked.of.id, asked.of.started)
            if same and resting is None and not mended and not asked.answer.exception():
                state, why = asked.answer.result()
                ward.note(who, state, now, how=asked.how, why=why, container=asked.of.id,
                          started=asked.of.started, age=looking.age(asked.of))  # fmt: skip
        if mended:
            return
        if resting is not None:
            state, why = resting
            of = {"container": found.id, "started": found.started} if found else {}
            ward.note(who, state, now, how=how, why=why, **of)  # type: ignore[arg-type]
        elif found and key not in self._asked:
            if looking.is_stopped(found):
                how = Rule(start=how.start, data=how.data)  # no healthcheck is needed to see that
            if key in self._asked_at and now < self._asked_at[key] + how.every:
                return
            self._asked_at[key] = now
            ask: Callable[[], tuple[Found, str]] = (
                (lambda: looking.ask_edge(found, self._docker))
                if app == EDGE
                else (lambda: looking.ask(found, how))
            )
            answer = self._pool.submit(ask)
            self._asked[key] = _Asked(answer=answer, of=found, how=how)
            answer.add_done_callback(lambda _: self._poke())

    def _poke(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._wake, b".")

    # -- acting ---------------------------------------------------------------

    def _act(self, app: str, ward: Ward, now: float) -> None:
        if any(one.app == app for one in self._mending.values()):
            return
        who = ward.choose(now)
        if who is None:
            return
        case = ward.cases[who]
        folder = self._host.apps / app if app else self._docker.edge
        if any(_held(folder / name) for name in ("lock", "monitor.lock")):
            case.not_before = now + BUSY_FOR  # whoever is at work there sees for himself
            return
        why = case.why
        if case.failures > 1 and not case.absent and not case.sick:
            why = f"{why}, {case.failures} times in {now - case.wrong_since:.0f} s"
        log = self._host.folder / "watch.log"
        words = (self._host.folder, app, who.name, why)
        pid = agenda.begin(log, *words, module="geartrain.server.watch.mend")
        self._mending[pid] = _Mending(app=app, who=who, until=now + MEND_AT_MOST)

    def _end_mending(self, now: float) -> None:
        for pid, code in agenda.reap().items():
            if (one := self._mending.pop(pid, None)) is None:
                continue
            ward = self._wards.get(one.app)
            if ward is None:
                continue
            if code == NOT_NEEDED:
                ward.cases.pop(one.who, None)
            elif code == Exit.BUSY and one.who in ward.cases:
                ward.cases[one.who].not_before = now + BUSY_FOR
            else:
                ward.tried(one.who, now)
            self._asked_at.pop((one.app, one.who), None)
        for pid, one in self._mending.items():
            if now > one.until:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)


def _held(lock: Path) -> bool:
    try:
        return lock.exists() and aside.held(lock)
    except OSError:
        return False


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
