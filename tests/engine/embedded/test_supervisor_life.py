"""How the supervisor starts, probes, restarts and stops."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from geartrain.engine.embedded.supervisor.client import Client
from geartrain.engine.embedded.supervisor.spec import Probe, ProbeKind, State
from geartrain.errors import GearError
from tests.engine.embedded.supervisor_lab import (
    DEAF,
    PATIENCE,
    SLEEPS,
    STAYED,
    Lab,
    address,
    alive,
    eventually,
    python,
    serving,
    until_there,
)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.end()


# -- starting ---------------------------------------------------------------


def test_an_http_probe_means_an_answer(lab: Lab) -> None:
    where = address()
    lab.start(serving("web.1.1", where))
    (seen,) = lab.ready("web.1.1")
    assert seen["fine"]
    assert (seen["state"], seen["address"], seen["note"]) == ("ready", where, "")
    assert alive([seen["pid"]])


def test_an_error_is_no_answer_and_is_told(lab: Lab) -> None:
    where = address()
    lab.start(serving("web.1.1", where, "HTTP/1.0 503 Service Unavailable"))
    told = f"GET / on {where}:8080 answers '503 Service Unavailable'"
    eventually(lambda: lab.see("web.1.1")["note"] == told)
    (seen,) = lab.ready("web.1.1", timeout=0.1)
    assert (seen["fine"], seen["state"]) == (False, "starting")


def test_one_that_never_listens_is_told_after_a_bound(lab: Lab) -> None:
    probe = Probe(kind=ProbeKind.TCP, address=address(), port=8080)
    lab.start(python("web.1.1", SLEEPS, probe=probe, start_timeout=0.3))
    began = time.monotonic()
    (seen,) = lab.ready("web.1.1")
    assert time.monotonic() - began < 15.0  # half of what it is without
    assert seen["note"] == f"nothing answers on {probe.address}:8080"


def test_one_that_accepts_and_ends_at_once_is_not_ready(lab: Lab) -> None:
    where = address()
    code = (
        f"import socket, time; s = socket.create_server(({where!r}, 8080));"
        " s.accept(); time.sleep(0.05); raise SystemExit(7)"
    )
    probe = Probe(kind=ProbeKind.TCP, address=where, port=8080, settle=60.0)
    lab.start(python("web.1.1", code, probe=probe))
    (seen,) = lab.ready("web.1.1")
    assert (seen["fine"], seen["note"]) == (False, "ended with exit code 7")


def test_a_command_probe_runs_until_it_passes(lab: Lab, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    probe = Probe(
        kind=ProbeKind.COMMAND,
        argv=("/bin/sh", "-c", f"test -e {flag} || {{ echo not yet; exit 3; }}"),
        env={"PATH": os.defpath},
    )
    lab.start(python("w.1.1", SLEEPS, probe=probe))
    eventually(lambda: "ends with 3: not yet" in lab.see("w.1.1")["note"])
    assert lab.see("w.1.1")["state"] == "starting"
    flag.touch()
    assert lab.ready("w.1.1")[0]["fine"]


def test_a_healthcheck_goes_on_and_tells_when_it_fails(lab: Lab, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    argv = ("/bin/test", "-e", str(flag))
    probe = Probe(kind=ProbeKind.COMMAND, argv=argv, interval=0.05, retries=3)
    lab.start(python("w.1.1", SLEEPS, probe=probe))
    lab.ready("w.1.1")
    flag.unlink()
    seen = lab.until("w.1.1", "unhealthy")
    assert "ends with 1" in seen["note"]
    time.sleep(0.3)
    assert lab.see("w.1.1")["since"] == seen["since"]
    assert len([line for line in lab.log("w") if "ends with 1" in line]) == 1
    flag.touch()
    assert lab.until("w.1.1", "ready")["note"] == ""


def test_a_program_that_is_not_there_is_told(lab: Lab) -> None:
    lab.start(python("w.1.1", "", argv=("/nonexistent/program",)))
    (seen,) = lab.ready("w.1.1")
    assert (seen["fine"], seen["state"], seen["code"]) == (False, "failed", 127)
    assert seen["tail"] == ["/nonexistent/program: No such file or directory"]


def test_the_same_again_is_left_alone_and_another_definition_is_not(lab: Lab) -> None:
    lab.start(python("w.1.1", SLEEPS))
    before = lab.ready("w.1.1")[0]["pid"]
    lab.start(python("w.1.1", SLEEPS))
    assert lab.ready("w.1.1")[0]["pid"] == before
    lab.start(python("w.1.1", SLEEPS, env={"X": "1"}))
    after = lab.ready("w.1.1")[0]["pid"]
    assert after != before
    assert alive([before, after]) == [after]


# -- restarting -------------------------------------------------------------


def test_it_comes_back_with_growing_pauses_and_gives_up_with_the_reason(
    lab: Lab, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    code = (
        f"import time; open({str(starts)!r}, 'a').write(f'{{time.monotonic()}}\\n');"
        f"time.sleep({STAYED}); print('no queue'); raise SystemExit(9)"
    )
    lab.start(python("w.1.1", code, max_attempts=3))
    assert lab.until("w.1.1", "backoff")["note"].startswith("ended with exit code 9; next start in")
    seen = lab.until("w.1.1", "failed")
    assert seen["note"] == "gave up after 4 starts: ended with exit code 9"
    assert seen["tail"] == ["no queue"]
    times = [float(line) for line in starts.read_text().split()]
    pauses = [late - early - STAYED for early, late in itertools.pairwise(times)]
    assert len(times) == 4
    for pause, least in zip(pauses, (0.1, 0.2, 0.4), strict=True):
        assert least <= pause
    assert [line for line in lab.log("w") if line != "no queue"] == [
        *(f"w.1.1 ended with exit code 9; next start in {n} s" for n in (0.1, 0.2, 0.4)),
        "w.1.1 gave up after 4 starts: ended with exit code 9",
    ]


@pytest.mark.parametrize("attempts", [1, 3])
def test_what_was_never_ready_is_tried_that_often(lab: Lab, tmp_path: Path, attempts: int) -> None:
    starts = tmp_path / "starts"
    code = f"open({str(starts)!r}, 'a').write('x'); raise SystemExit(1)"
    never = Probe(kind=ProbeKind.NONE, settle=60.0)  # it ends long before
    lab.start(python("w.1.1", code, start_attempts=attempts, probe=never))
    (seen,) = lab.ready("w.1.1")
    assert (seen["state"], seen["note"]) == ("failed", "ended with exit code 1")
    assert starts.read_text() == "x" * attempts


@pytest.mark.parametrize("policy", ["always", "on-failure"])
def test_a_killed_one_comes_back(lab: Lab, policy: str) -> None:
    lab.start(python("w.1.1", SLEEPS, restart=policy))
    before = lab.ready("w.1.1")[0]["pid"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: lab.see("w.1.1")["restarts"] == 1)
    after = lab.until("w.1.1", "ready")["pid"]
    assert after not in (0, before)


def test_on_failure_leaves_a_success_alone(lab: Lab, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    lab.start(python("w.1.1", until_there(flag), restart="on-failure"))
    assert lab.ready("w.1.1")[0]["fine"]
    flag.touch()
    assert lab.until("w.1.1", "exited")["code"] == 0


def test_restart_is_at_once_and_forgets_failures(lab: Lab) -> None:
    lab.start(python("w.1.1", SLEEPS))
    before = lab.ready("w.1.1")[0]["pid"]
    lab.client.ask("restart", names=["w.1.1"])
    eventually(lambda: lab.see("w.1.1")["pid"] not in (0, before))
    assert lab.ready("w.1.1")[0]["fine"]
    assert not alive([before])


def test_a_failed_one_can_be_restarted(lab: Lab, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    code = (
        f"import os, time; os.path.exists({str(flag)!r}) and time.sleep(100); raise SystemExit(1)"
    )
    lab.start(python("w.1.1", code, restart="no"))
    assert lab.until("w.1.1", "failed")
    flag.touch()
    lab.client.ask("restart", names=["w.1.1"])
    assert lab.ready("w.1.1")[0]["fine"]


# -- one-shots --------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "state", "note"),
    [
        ("raise SystemExit(0)", "exited", ""),
        ("print('bad'); raise SystemExit(5)", "failed", "ended with exit code 5"),
        ("import os; os.kill(os.getpid(), 9)", "failed", "ended by SIGKILL"),
    ],
)
def test_a_one_shot_runs_once(lab: Lab, code: str, state: str, note: str) -> None:
    lab.start(python("setup.1.1", code, probe=Probe(kind=ProbeKind.EXIT), restart="no"))
    (seen,) = lab.ready("setup.1.1")
    assert (seen["state"], seen["note"], seen["fine"]) == (state, note, state == "exited")
    assert lab.see("setup.1.1")["restarts"] == 0


# -- stopping ---------------------------------------------------------------


def ends_at(name: str, last: str) -> str:
    """A program that waits for a signal, which no handler could miss in front of a sleep."""
    return (
        "import signal\n"
        f"signal.pthread_sigmask(signal.SIG_BLOCK, [signal.{name}])\n"
        "print('here', flush=True)\n"
        f"signal.sigwait([signal.{name}])\n"
        f"{last}"
    )


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR1"])
def test_the_stop_signal_is_the_one_asked_for(lab: Lab, name: str) -> None:
    code = ends_at(name, "print('bye', flush=True)")
    lab.start(python("w.1.1", code, stop_signal=name))
    eventually(lambda: lab.log("w") == ["here"])
    lab.client.ask("stop", names=["w.1.1"])
    assert lab.log("w") == ["here", "bye"]
    assert lab.see("w.1.1") == {}


def test_what_does_not_stop_is_killed_after_its_grace_and_that_is_told(lab: Lab) -> None:
    lab.start(python("w.1.1", DEAF, stop_grace=0.3))
    eventually(lambda: lab.log("w") == ["deaf"])
    pid = lab.see("w.1.1")["pid"]
    began = time.monotonic()
    lab.client.ask("stop", names=["w.1.1"])
    assert time.monotonic() - began >= 0.3
    assert not alive([pid])
    assert lab.log("w")[-1] == "w.1.1 did not stop within 0.3 s: killed"


def test_children_of_a_stopped_one_are_stopped_too(lab: Lab, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        f"    open({str(pids)!r}, 'w').write(str(os.getpid())); time.sleep(100)\n"
        "time.sleep(100)"
    )
    lab.start(python("w.1.1", code))
    child = int(eventually(lambda: pids.exists() and pids.read_text()))
    lab.client.ask("stop", names=["w.1.1"])
    eventually(lambda: not alive([child]))


def test_stopping_in_a_pause_between_starts(lab: Lab) -> None:
    code = f"import time; time.sleep({STAYED}); raise SystemExit(1)"
    lab.start(python("w.1.1", code))
    lab.until("w.1.1", "backoff")
    lab.client.ask("stop", names=["w.1.1"])
    assert lab.see("w.1.1") == {}


def test_stopping_right_after_starting(lab: Lab) -> None:
    for _ in range(5):
        lab.start(*(python(f"w.1.{n}", SLEEPS) for n in range(3)))
        lab.client.ask("stop", names=[f"w.1.{n}" for n in range(3)])
    guard, supervisor = lab.pids()
    eventually(lambda: lab.everything() == [guard, supervisor])


def test_data_services_stop_last(lab: Lab, tmp_path: Path) -> None:
    order = tmp_path / "order"
    roles = ("cache", "web", "edge", "database", "worker", "job", "other")
    for role in roles:
        code = ends_at("SIGTERM", f"open({str(order)!r}, 'a').write('{role} ')")
        lab.start(python(role, code, role=role))
    eventually(lambda: all(lab.log(role) == ["here"] for role in roles))
    lab.client.ask("shutdown")
    lab.client.ended()
    assert order.read_text().split() == [
        "edge", "job", "web", "worker", "other", "cache", "database"
    ]  # fmt: skip


# -- retiring ---------------------------------------------------------------


def test_what_retires_waits_for_others_and_not_for_ever(lab: Lab) -> None:
    lab.start(python("old.1.1", SLEEPS), python("worker.1.1", SLEEPS))
    lab.ready("old.1.1", "worker.1.1")
    awaited = lab.see("worker.1.1")["pid"]
    lab.client.ask("retire", names=["old.1.1"], after=[awaited], deadline=60)
    assert lab.see("old.1.1")["state"] == "stopping"
    assert lab.client.ask("drained", timeout=0.1) == {"drained": False}
    lab.client.ask("stop", names=["worker.1.1"])
    assert lab.client.ask("drained", timeout=PATIENCE) == {"drained": True}
    assert lab.see("old.1.1") == {}
    lab.start(python("old.1.1", SLEEPS))
    lab.client.ask("retire", names=["old.1.1"], after=[os.getpid()], deadline=0.2)
    assert lab.client.ask("drained", timeout=PATIENCE) == {"drained": True}


def test_what_retires_and_is_started_again_stays(lab: Lab) -> None:
    lab.start(python("old.1.1", SLEEPS), python("worker.1.1", SLEEPS))
    pid = lab.ready("old.1.1", "worker.1.1")[0]["pid"]
    awaited = lab.see("worker.1.1")["pid"]
    lab.client.ask("retire", names=["old.1.1"], after=[awaited], deadline=60)
    lab.start(python("old.1.1", SLEEPS))
    assert lab.client.ask("drained", timeout=PATIENCE) == {"drained": True}
    lab.client.ask("stop", names=["worker.1.1"])  # what it waited for
    time.sleep(0.3)
    assert (lab.see("old.1.1")["state"], lab.see("old.1.1")["pid"]) == ("ready", pid)


def test_one_that_took_the_place_of_what_retires_stays(lab: Lab) -> None:
    lab.start(python("old.1.1", SLEEPS))
    lab.ready("old.1.1")
    lab.client.ask("retire", names=["old.1.1"], after=[os.getpid()], deadline=0.3)
    lab.client.ask("stop", names=["old.1.1"])
    lab.start(python("old.1.1", SLEEPS))
    pid = lab.ready("old.1.1")[0]["pid"]
    time.sleep(0.5)
    assert (lab.see("old.1.1")["state"], lab.see("old.1.1")["pid"]) == ("ready", pid)


# -- talking ----------------------------------------------------------------


def test_two_clients_at_once(lab: Lab, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    ends = Probe(kind=ProbeKind.EXIT)
    lab.start(python("slow.1.1", until_there(flag), probe=ends, start_timeout=PATIENCE))
    other = Client(lab.run)
    waiting = threading.Thread(target=lambda: other.ask("ready", names=["slow.1.1"]))
    waiting.start()
    assert lab.see("slow.1.1")["state"] == "starting"
    assert waiting.is_alive()
    flag.touch()
    waiting.join()
    assert lab.see("slow.1.1")["state"] == "exited"
    other.close()


def test_many_clients_start_the_same_once(lab: Lab) -> None:
    def start() -> None:
        with Client(lab.run) as client:
            client.start([python("w.1.1", SLEEPS)])

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lab.ready("w.1.1")
    guard, supervisor = lab.pids()
    assert lab.everything() == [guard, supervisor, lab.see("w.1.1")["pid"]]


def test_a_signal_is_seen_that_came_just_before_the_wait_for_an_answer(lab: Lab) -> None:
    """Python has noted it then, and the kernel's wait goes on."""
    lab.start(python("slow.1.1", DEAF, probe=Probe(kind=ProbeKind.EXIT)))
    asks = threading.Event()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def strike() -> None:
        asks.wait()
        time.sleep(0.3)
        signal.pthread_kill(threading.get_ident(), signal.SIGALRM)  # it ends no wait but its own

    def ask() -> None:
        asks.set()
        lab.client.ask("ready", names=["slow.1.1"], timeout=PATIENCE)

    before = signal.signal(signal.SIGALRM, interrupt)
    striking = threading.Thread(target=strike)
    striking.start()
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            ask()
    finally:
        striking.join()
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < PATIENCE / 2
    assert lab.see("slow.1.1")["state"] == "starting"


@pytest.mark.parametrize(
    ("op", "rest", "said"),
    [
        ("dance", {}, "unknown request 'dance'"),
        ("ready", {"names": ["nobody"]}, "nobody"),
        ("signal", {"name": "nobody", "signal": "SIGHUP"}, "nobody"),
        ("start", {"specs": [{}]}, "could not start"),
    ],
)
def test_what_it_cannot_do_is_told(lab: Lab, op: str, rest: dict[str, object], said: str) -> None:
    with pytest.raises(GearError, match=said):
        lab.client.ask(op, **rest)
    assert lab.client.ask("observe")["instances"] == []


@pytest.mark.parametrize("line", [b"{", b"[]\n", b"\xff\xfe\n", b"null\n", b'{"op": 5}\n', b"\n"])
def test_nonsense_ends_that_connection_alone(lab: Lab, line: bytes) -> None:
    client = Client(lab.run)
    client._socket.sendall(line)
    client.close()
    assert lab.client.ask("observe")["instances"] == []


def test_a_very_deep_folder(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(6):
        deep = deep / ("d" * 40)
    lab = Lab(deep)
    try:
        assert len(str(lab.run)) > 240
        lab.start(python("w.1.1", SLEEPS))
        assert lab.ready("w.1.1")[0]["state"] == State.READY
    finally:
        lab.end()


def test_the_socket_is_its_owner_s_alone(lab: Lab) -> None:
    assert (lab.run / "supervisor.sock").stat().st_mode & 0o777 == 0o600


def test_one_that_is_wanted_again_while_it_stops_is_started_again(lab: Lab) -> None:
    """As when somebody goes back to a release whose instances are in their grace period."""
    code = (
        "import signal, threading, time\n"
        "ends = threading.Event()\n"
        "signal.signal(signal.SIGTERM, lambda *_: ends.set())\n"
        "print('runs', flush=True)\n"
        "while not ends.wait(0.01): pass\n"
        "print('ends', flush=True); time.sleep(0.5)\n"
    )
    spec = python("slow.1.1", code)
    lab.start(spec)
    eventually(lambda: lab.log("slow") == ["runs"])
    lab.client.ask("retire", names=["slow.1.1"], after=[], deadline=10.0)
    eventually(lambda: "ends" in lab.log("slow"))
    lab.start(spec)
    assert lab.ready("slow.1.1")[0]["fine"]
    eventually(lambda: lab.log("slow") == ["runs", "ends", "runs"])
