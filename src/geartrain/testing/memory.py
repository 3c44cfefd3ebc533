"""An engine that runs nothing: the contract of `Engine` over a value in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from msgspec.structs import replace

from geartrain.app.model import Role, Service
from geartrain.app.release import InstanceId, Release, definition
from geartrain.app.routes import sites
from geartrain.engine.protocol import Instance, Observed, Outcome, Say, State, Traffic
from geartrain.errors import GearError
from geartrain.testing.behaviour import Exits, NeverAnswers, settled
from geartrain.testing.crash import Moments
from geartrain.testing.script import Script
from geartrain.testing.world import World

UNSETTLED = (State.STARTING, State.BACKOFF, State.UNHEALTHY)


class MemoryEngine:
    """Keeps the contract of `Engine` in memory, deterministically.

    `script` says how things behave, `moments` where the caller is killed.
    `worlds` are all states that were ever true, the newest last; `calls` the
    verbs as they were called.
    """

    def __init__(self) -> None:
        self.script = Script()
        self.moments = Moments()
        self.worlds: list[World] = [World()]
        self.calls: list[str] = []
        self._services: dict[InstanceId, Service] = {}
        self._before: dict[InstanceId, State] = {}  # what those that retire were doing
        self._lock = threading.RLock()

    def copy(self) -> MemoryEngine:
        """Another engine in the same world with the same script; nobody is killed there."""
        other = MemoryEngine()
        other.script = self.script.copy()
        other.worlds = [self.world]
        other._services = dict(self._services)
        other._before = dict(self._before)
        return other

    @property
    def world(self) -> World:
        """What is true now."""
        return self.worlds[-1]

    # -- what happens by itself ---------------------------------------------

    def change(self, one: InstanceId, state: State, *, code: int | None = None) -> None:
        """Something befalls an instance without anybody having asked for it."""
        if seen := self.world.find(one):
            self._become(lambda w: w.put(replace(seen, state=state, code=code)))

    def settle(self) -> None:
        """Time passes: what starts gets ready or fails, what retires has stopped."""
        for seen in self.world.instances:
            self._settle(seen.id)
        self._drop_retired()

    def reboot(self) -> None:
        """The machine loses power: nothing runs any more; what was built is there."""
        self._become(lambda w: replace(w, instances=(), routed=None))

    # -- the contract -------------------------------------------------------

    def observe(self) -> Observed:
        """Read what runs now."""
        with self._verb("observe"):
            return Observed(instances=self.world.instances, routed=self.world.routed)

    def exclusive(self, seen: Observed) -> Observed:
        """They are marked already."""
        return seen

    def urls(self, release: Release) -> tuple[str, ...]:
        """One of its own."""
        return (f"http://{release.app.name}.test",) if sites(release.app) else ()

    def check(self, release: Release) -> tuple[str, ...]:
        """Nothing differs here."""
        with self._verb("check", release.number):
            return ()

    def build(self, release: Release, say: Say) -> None:
        """Call the release built."""
        with self._verb("build", release.number):
            if reason := self.script.of_build(release.number):
                raise GearError(reason)
            self._become(lambda w: replace(w, built=w.built | {release.number}))
            say(f"built release {release.number}")

    def ensure_data(self, release: Release, service: Service, say: Say) -> None:
        """Bring a data service to its definition."""
        with self._verb("ensure", service.name):
            one, wanted = InstanceId(service=service.name), definition(service)
            seen = self.world.find(one)
            if seen and seen.fine and seen.definition == wanted:
                return
            new = Instance(id=one, role=service.role, state=State.STARTING, definition=wanted)
            self._become(lambda w: w.put(new))
            self.moments.passes()
            if reason := self.script.of_data(service.name, release.number):
                self._become(lambda w: w.put(replace(new, state=State.FAILED, note=reason)))
                raise GearError(f"{service.name} did not get ready: {reason}", where=one.name)
            self._become(lambda w: w.put(replace(new, state=State.READY)))
            say(f"{service.name} is ready")

    def migrate(self, release: Release, service: Service) -> Outcome:
        """Run the release command once; what an earlier one left is ended first."""
        with self._verb("migrate", service.name, release.number):
            one = InstanceId(service=service.name, release=release.number, index=0)
            left = {i.id for i in self.world.instances if i.id.index == 0}
            new = Instance(id=one, role=Role.WORKER, state=State.STARTING)
            self._become(lambda w: w.drop(left).put(new))
            self.moments.passes()
            how = self.script.of_migration(service.name, release.number)
            done = (one,) if how.code == 0 else ()
            self._become(lambda w: replace(w.drop({one}), migrated=w.migrated + done))
            reason = f"ended with exit code {how.code}" if how.code else ""
            return Outcome(id=one, ok=not reason, reason=reason, tail=how.tail)

    def run(self, release: Release, service: Service, argv: tuple[str, ...]) -> Outcome:
        """Nothing, well done."""
        with self._verb("run", service.name, *argv):
            one = InstanceId(service=service.name, release=release.number, index=0)
            return Outcome(id=one, ok=True)

    def start(self, release: Release, ids: Sequence[InstanceId]) -> None:
        """Start instances; those that run are left alone, those that retire go on."""
        with self._verb("start", *_names(ids)):
            if release.number not in self.world.built:
                raise GearError(f"release {release.number} is not built")
            for one in ids:
                service = self._services[one] = release.app.services[one.service]
                seen = self.world.find(one)
                if seen and seen.state is State.STOPPING:
                    self.change(one, self._before.pop(one, State.READY))
                elif not seen or seen.state in (State.EXITED, State.FAILED):
                    self._begin(one, service, release.fingerprint)
                self.moments.passes()

    def ready(self, ids: Sequence[InstanceId]) -> tuple[Outcome, ...]:
        """Settle these, and say how it went; those that failed come first."""
        with self._verb("ready", *_names(ids)):
            for one in ids:
                self._settle(one)
                self.moments.passes()
            return tuple(sorted((self._outcome(one) for one in ids), key=lambda o: o.ok))

    def switch(self, release: Release) -> None:
        """Send requests to this release."""
        with self._verb("switch", release.number):
            if complaint := self.script.of_switch(release.number):
                raise GearError(f"nginx refuses its configuration: {complaint}")
            number = release.number if sites(release.app) else None
            self._become(lambda w: replace(w, routed=number))

    def retire(self, ids: Sequence[InstanceId]) -> None:
        """Stop these as time passes (`settle`, `drained`)."""
        with self._verb("retire", *_names(ids)):
            for one in ids:
                seen = self.world.find(one)
                if seen and seen.state is not State.STOPPING:
                    self._before[one] = seen.state
                self.change(one, State.STOPPING)
                self.moments.passes()

    def drained(self, timeout: float) -> bool:
        """All that retires has stopped."""
        with self._verb("drained", timeout):
            self._drop_retired()
            return True

    def stop(self, ids: Sequence[InstanceId]) -> None:
        """Stop these now."""
        with self._verb("stop", *_names(ids)):
            for one in ids:
                self._drop({one})
                self.moments.passes()

    def traffic(self, number: int, since: float) -> Traffic:  # noqa: ARG002  # all of it is new
        """As the script says."""
        return self.script.of_traffic(number)

    def down(self) -> bool:
        """Stop everything."""
        with self._verb("down"):
            ran = bool(self.world.instances)
            self.reboot()
            return ran

    def erase(self) -> None:
        """Nothing is kept here."""

    def sweep(self) -> None:
        """Nothing is left behind here."""

    # -- small parts --------------------------------------------------------

    @contextmanager
    def _verb(self, *words: object) -> Iterator[None]:
        self.calls.append(" ".join(map(str, words)))
        self.moments.passes()
        yield
        self.moments.passes()

    def _become(self, change: Callable[[World], World]) -> None:
        with self._lock:
            self.worlds.append(change(self.world))

    def _begin(self, one: InstanceId, service: Service, made_from: str) -> None:
        state = State.SCHEDULED if service.role is Role.JOB else State.STARTING
        new = Instance(id=one, role=service.role, state=state, definition=made_from)
        self._become(lambda w: w.put(new))

    def _settle(self, one: InstanceId) -> None:
        seen = self.world.find(one)
        if seen and seen.state in UNSETTLED and one in self._services:
            how, one_shot = self.script.of_instance(one), self._services[one].one_shot
            self._become(lambda w: w.put(settled(seen, how, w.instances, one_shot=one_shot)))

    def _drop_retired(self) -> None:
        self._drop({i.id for i in self.world.instances if i.state is State.STOPPING})

    def _drop(self, ids: set[InstanceId]) -> None:
        self._become(lambda w: w.drop(ids))

    def _outcome(self, one: InstanceId) -> Outcome:
        seen = self.world.find(one)
        if seen is None:
            return Outcome(id=one, ok=False, reason="it was never started")
        if seen.fine:
            return Outcome(id=one, ok=True)
        how = self.script.of_instance(one)
        reason = how.reason if isinstance(how, NeverAnswers) else seen.note
        tail = how.tail if isinstance(how, Exits | NeverAnswers) else ()
        return Outcome(id=one, ok=False, reason=reason, tail=tail)


def _names(ids: Sequence[InstanceId]) -> list[str]:
    return [one.name for one in ids]
