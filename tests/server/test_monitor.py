"""After the switch: a release that dies or fails its requests is taken back by itself."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.running import until
from tests.server.pushing import Clone, hooks

DIES = """
import os, threading, time
def end():
    while not os.path.exists(WHEN):
        time.sleep(0.05)
    os._exit(7)
threading.Thread(target=end, daemon=True).start()
"""
FAILS = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import os

class Answer(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        fine = self.path == "/" or os.environ.get("FINE")
        self.send_response(200 if fine else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()

ThreadingHTTPServer((os.environ["HOST"], 8080), Answer).serve_forever()
"""


def dies(shop: Clone) -> Path:
    """A version that dies once this file is there, and each time that it is started again."""
    when = shop.folder.with_name("when")
    app = (shop.folder / "app.py").read_text()
    end = DIES.replace("WHEN", repr(str(when)))
    shop.write("app.py", app.replace("import asyncio\n", f"import asyncio\n{end}", 1))
    return when


def watched(shop: Clone, how: str) -> None:
    """Commit how the app is watched after a switch."""
    compose = (shop.folder / "docker-compose.yml").read_text()
    more = f"      update_config: {{{how}}}\n"
    shop.write("docker-compose.yml", compose.replace("    x-gear:\n", more + "    x-gear:\n"))
    shop.commit("watched")


@pytest.mark.slow
def test_a_release_that_dies_after_the_switch_is_rolled_back(shop: Clone) -> None:
    shop.push()
    first = shop.head()
    when = dies(shop)
    shop.version("2")
    shop.push()
    when.touch()
    until(lambda: shop.remote() == first, "the branch is at the first commit again")
    until(lambda: shop.body() == "hello 1\n", "the first release serves")
    last = shop.events()[0]
    assert (last["what"], last["release"], last["before"]) == ("rolled back", 1, 2)
    assert last["via"] == "monitor"
    assert "web.2.1" in last["why"]
    for words in (("ps",), ("releases",)):
        told = shop.gear(*words).err
        assert "! shop: rolled back from release 2 to 1 at " in told
        assert "web.2.1" in told
    shop.git("revert", "--no-edit", "HEAD")
    shop.push()
    assert "!" not in shop.gear("ps").err, "what came since is no trouble"


@pytest.mark.slow
def test_a_release_that_answers_500_after_the_switch_is_rolled_back(shop: Clone) -> None:
    shop.write("app.py", FAILS.replace("os.environ.get", "not os.environ.get"))
    shop.commit("good")
    shop.push()
    for _ in range(20):
        assert shop.get("/page")[0] == 200
    shop.write("app.py", FAILS)
    shop.commit("bad")
    shop.push()
    for _ in range(10):
        shop.get("/page")
    until(lambda: shop.get("/page")[0] == 200, "the first release serves again")
    until(lambda: shop.events()[0]["what"] == "rolled back", "that is in the history")
    assert "requests were answered with 5xx" in shop.events()[0]["why"]


@pytest.mark.slow
def test_whoever_converges_watches_for_the_rest_of_the_window(shop: Clone) -> None:
    watched(shop, "monitor: 60s")
    shop.push()
    shop.version("2")
    shop.push()
    for pid in hooks(shop):  # those that watch
        os.kill(pid, signal.SIGKILL)
    assert "nothing to do" in shop.gear("converge").out
    shop.get("/crash")
    until(lambda: shop.events()[0]["what"] == "rolled back", "it is taken back")
    assert shop.body() == "hello 1\n"


@pytest.mark.slow
def test_who_wants_to_look_himself_is_told_only(shop: Clone) -> None:
    watched(shop, "failure_action: continue, monitor: 60s")
    shop.push()
    when = dies(shop)
    shop.commit("dies")
    shop.push()
    when.touch()
    until(lambda: shop.events()[0]["what"] == "trouble", "it is written down")
    assert shop.gear("releases", "--json").json()["live"] == 2
    assert "! shop: release 2 is in trouble" in shop.gear("releases").err


@pytest.mark.slow
def test_a_restart_by_hand_is_no_trouble(shop: Clone) -> None:
    watched(shop, "monitor: 12s")
    shop.push()
    shop.version("2")
    shop.push()
    with ThreadPoolExecutor() as pool:
        restarted = pool.submit(shop.gear, "restart", "web")
        failed = 0
        while not restarted.done() and failed < 20:
            failed += shop.get()[0] != 200  # an instance alone is away while it restarts
        restarted.result()
    assert hooks(shop), "the monitor is at work"
    until(lambda: not hooks(shop), "its window is over")
    assert shop.body() == "hello 2\n"
    assert shop.events()[0]["what"] == "live"
