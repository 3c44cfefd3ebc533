"""One supervised process: start, probe, restart with backoff, stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from geartrain.engine.descent import send
from geartrain.engine.embedded.supervisor import pid_file
from geartrain.engine.embedded.supervisor.logs import Lines
from geartrain.engine.embedded.supervisor.probes import attempt, name
from geartrain.engine.embedded.supervisor.spawn import Child, Children
from geartrain.engine.embedded.supervisor.spec import Probe, ProbeKind, Spec, State
from geartrain.engine.embedded.supervisor.stale import MARK as HOST_MARK
from geartrain.engine.embedded.supervisor.strays import MARK, end_strays

PROBE_EVERY = 0.05
ASK_EVERY = 0.02  # where asking costs no process
SLOW = 0.5  # seconds after which a check that is under way is told of
FIRST_DELAY = 0.1
LONGEST_DELAY = 30.0
STABLE_AFTER = 10.0
TAIL_LINES = 30


class Process:
    """Keeps one process as its spec says.

    Args:
        spec: what to run.
        children: where programs are started.
        write: gets every stamped log line.
        changed: called after each change of state.
    """

    def __init__(
        self,
        spec: Spec,
        children: Children,
        write: Callable[[str, bytes], None],
        changed: Callable[[Process], None],
    ) -> None:
        self.spec = spec
        self.state = State.SCHEDULED if spec.schedule else State.STARTING
        self.pid = 0
        self.since = time.time()
        self.restarts = 0
        self.note = ""
        self.code: int | None = None
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._children = children
        self._write = write
        self._changed = changed
        self._child: Child | None = None
        self._stopping = False
        self._restart_now = False
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._keep())

    # -- what others may ask ------------------------------------------------

    @property
    def settled(self) -> bool:
        """True when it will not change by itself any more."""
        return self.state in (State.EXITED, State.FAILED)

    @property
    def stopping(self) -> bool:
        """True once it is being stopped for good."""
        return self._stopping

    def signal(self, number: int) -> None:
        """Send a signal to the main process."""
        if self._child and not self._child.ended.done():
            send([self._child.pid], number)

    async def restart(self) -> None:
        """Stop and start it again, at once and with a clean count of failures."""
        self._restart_now = True
        self._wake.set()
        if self._child:
            await self._end(self._child)

    async def stop(self) -> None:
        """Stop it for good: its stop signal, then SIGKILL after its grace."""
        self._stopping = True
        if self.settled and self._task.done():
            return
        if self._child and not self._child.ended.done():
            self._become(State.STOPPING)
            await self._end(self._child)
        self._wake.set()
        await asyncio.wait([self._task])

    # -- its life -----------------------------------------------------------

    async def _keep(self) -> None:
        if self.spec.schedule:
            await self._keep_schedule()
            return
        failures, ever_ready = 0, False
        while not self._stopping:
            started = time.monotonic()
            was_ready = await self._run_once()
            if self._stopping:
                break
            if self._restart_now:
                self._restart_now, failures = False, 0  # asked for: no sign of trouble
                continue
            if self.spec.one_shot:
                ok = self.code == 0
                self._become(State.EXITED if ok else State.FAILED, "" if ok else self._why())
                return
            stable = was_ready and time.monotonic() - started >= STABLE_AFTER
            failures = 1 if stable else failures + 1
            ever_ready = ever_ready or was_ready
            if self._gives_up(failures, ever_ready=ever_ready):
                return
            delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (failures - 1))
            self._become(State.BACKOFF, f"{self._why()}; next start in {delay:.1f} s")
            await self._sleep(delay)
            self.restarts += 1
        self._become(State.EXITED, "stopped")

    def _gives_up(self, failures: int, *, ever_ready: bool) -> bool:
        spec = self.spec
        if spec.restart == "no" or (spec.restart == "on-failure" and self.code == 0):
            done = spec.restart != "no" and self.code == 0
            self._become(State.EXITED if done else State.FAILED, self._why())
            return True
        if not ever_ready and failures >= spec.start_attempts:
            self._become(State.FAILED, self._why())
            return True
        if failures > spec.max_attempts:
            self._become(State.FAILED, f"gave up after {failures} starts: {self._why()}")
            return True
        return False

    async def _run_once(self) -> bool:
        """One life of the process. Returns whether it was ever ready."""
        spec = self.spec
        lines = Lines(spec.name)

        def output(data: bytes) -> None:
            for line in lines.feed(data) if data else lines.flush():
                self.tail.append(line.decode(errors="replace").split(" ", 2)[2].rstrip("\n"))
                self._write(spec.service, line)

        self.code = None
        self.tail.clear()
        for path in spec.pid_files:
            if pid_file.release(Path(path), Path(spec.cwd)):
                output(f"{path} named a process of somebody else\n".encode())
        try:
            self._child = self._children.start(
                spec.argv,
                env={**spec.env, MARK: spec.name, HOST_MARK: str(Path.cwd())},
                cwd=spec.cwd,
                user=spec.user,
                stop_signal=getattr(signal, spec.stop_signal),
                memory=spec.memory,
                output=output,
            )
        except OSError as error:
            self.code = 127
            output(f"{spec.argv[0]}: {error.strerror}\n".encode())
            return False
        self.pid = self._child.pid
        # A job that runs is as it should be from the first moment: nobody waits for it.
        self._become(State.READY if spec.schedule else State.STARTING)
        probing = asyncio.create_task(self._probe(self._child))
        try:
            self.code = await asyncio.shield(self._child.ended)
        finally:
            was_ready = self.state in (State.READY, State.UNHEALTHY)
            probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                was_ready = await probing or was_ready
        self.pid = 0
        binary = spec.argv[0] if spec.role == "database" else ""
        end_strays(spec.name, self._child.pid, binary, self._children.known())
        return was_ready

    async def _probe(self, child: Child) -> bool:
        probe = self.spec.probe
        if probe.kind is ProbeKind.EXIT or self.spec.schedule:
            return False
        if probe.kind is ProbeKind.NONE:
            await asyncio.sleep(probe.settle)
            self._become(State.READY)
            return True
        while seen := await self._ask(probe):
            self.note = seen
            await asyncio.sleep(PROBE_EVERY if probe.kind is ProbeKind.COMMAND else ASK_EVERY)
        if probe.kind is ProbeKind.TCP:
            await asyncio.sleep(probe.settle)
        self._become(State.READY)
        failed = 0
        while probe.interval and not child.ended.done():
            await asyncio.sleep(probe.interval)
            seen = await attempt(probe, self._children, self.spec.cwd, self.spec.user)
            failed = failed + 1 if seen else 0
            if failed == probe.retries:
                self._become(State.UNHEALTHY, seen)
            elif not seen and self.state is State.UNHEALTHY:
                self._become(State.READY)
        return True

    async def _ask(self, probe: Probe) -> str:
        """Check once; while no answer comes, that is what is known of the instance."""
        slow = asyncio.get_running_loop().call_later(SLOW, self._is_slow, probe)
        try:
            return await attempt(probe, self._children, self.spec.cwd, self.spec.user)
        finally:
            slow.cancel()

    def _is_slow(self, probe: Probe) -> None:
        self.note = f"no answer to {name(probe)} so far"

    async def _keep_schedule(self) -> None:
        from geartrain.engine.schedule import next_run, told

        while not self._stopping:
            at = next_run(self.spec.schedule, time.time())
            last = "" if self.code is None else ("last run ok; " if self.code == 0 else "failed; ")
            self._become(State.SCHEDULED, f"{last}{told(at)}")
            await self._sleep(max(0.0, at - time.time()))
            if self._stopping:
                break
            self._restart_now = False
            await self._run_once()
            self.restarts += 1
        self._become(State.EXITED, "stopped")

    # -- small parts --------------------------------------------------------

    def _why(self) -> str:
        if self.code is None:
            return self.note
        if self.code < 0:
            return f"ended by {signal.Signals(-self.code).name}"
        return f"ended with exit code {self.code}"

    def _become(self, state: State, note: str = "") -> None:
        self.state, self.note, self.since = state, note, time.time()
        self._changed(self)

    async def _sleep(self, seconds: float) -> None:
        self._wake.clear()
        if self._stopping or self._restart_now:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _end(self, child: Child) -> None:
        send([child.pid], getattr(signal, self.spec.stop_signal))
        try:
            await asyncio.wait_for(asyncio.shield(child.ended), self.spec.stop_grace)
        except TimeoutError:
            said = f"{self.spec.name} did not stop within {self.spec.stop_grace:g} s: killed\n"
            self._write(self.spec.service, Lines("gear").feed(said.encode())[0])
            send([child.pid], signal.SIGKILL)
            await asyncio.shield(child.ended)
