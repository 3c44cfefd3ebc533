"""Certificates from a real ACME server, pebble: the first, renewed under load, refused, gone."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from geartrain.engine.certificates import Source, Store
from geartrain.engine.docker.host import DockerHost
from geartrain.server import renewal
from tests.cli.running import until
from tests.engine.docker.hosts import clean
from tests.ports import free_port
from tests.server.pushing import GEAR, Clone, HostFolder, clone_of, own_name
from tests.server.tls.asking import http_, load, serial
from tests.server.tls.fake_acme import fake
from tests.server.tls.pem import DAY, Authority

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_daemon"),
    pytest.mark.timeout(600),
    pytest.mark.skipif(not shutil.which("pebble"), reason="pebble is not installed"),
]
NAME = "shop.gear.test"


@dataclass
class Pebble:
    process: subprocess.Popen[bytes]
    directory: str
    root: Path
    names: str


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    place = tmp_path_factory.mktemp("acme")
    host = HostFolder(place / "host")
    host.gear("host", "init", "--engine", "docker")
    made = clone_of(host, own_name("acme"), place)
    text = (made.folder / "docker-compose.yml").read_text()
    made.write("docker-compose.yml", f"x-gear: {{domains: [{NAME}]}}\n{text}")
    made.commit("a domain")
    yield made
    host.gear("destroy", made.app, "--data", "--yes", code=None)
    clean(DockerHost(host.folder))


@pytest.fixture(scope="module")
def pebble(clone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """An ACME server that asks this host, and a name server by which every name is this machine."""
    folder = tmp_path_factory.mktemp("pebble")
    ca = Authority(folder)
    pair = ca.give("localhost")
    dns, dns_manage, asked, manage = (free_port() for _ in range(4))
    config = {
        "listenAddress": f"127.0.0.1:{asked}", "managementListenAddress": f"127.0.0.1:{manage}",
        "certificate": str(pair.cert), "privateKey": str(pair.key),
        "httpPort": clone.port, "tlsPort": free_port(),
    }  # fmt: skip
    file = folder / "pebble.json"
    file.write_text(json.dumps({"pebble": config}))
    env = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"}
    names = [
        "pebble-challtestsrv", "-http01", "", "-https01", "", "-tlsalpn01", "",
        "-dns01", f"127.0.0.1:{dns}", "-defaultIPv6", "",
        "-management", f"127.0.0.1:{dns_manage}",
    ]  # fmt: skip
    server = ["pebble", "-config", str(file), "-dnsserver", f"127.0.0.1:{dns}"]
    with ExitStack() as stack:
        running = []
        for words in (names, server):
            log = stack.enter_context((folder / f"{words[0]}.log").open("wb"))
            one = subprocess.Popen(words, stdout=log, stderr=log, env=env)
            stack.callback(one.wait, 20)
            stack.callback(one.kill)
            running.append(one)
        until(lambda: b"Listening on" in (folder / "pebble.log").read_bytes(), "pebble listens")
        directory = f"https://localhost:{asked}/dir"
        clone.host.gear(
            "tls", "settings", "--acme", "--email", "ops@gear.test", "--directory", directory,
            "--ca-file", ca.file, "--port", str(free_port()),
        )  # fmt: skip
        context = ssl.create_default_context(cafile=str(ca.file))
        root = folder / "root.pem"
        with urllib.request.urlopen(
            f"https://localhost:{manage}/roots/0", context=context, timeout=10
        ) as answer:
            root.write_bytes(answer.read())
        yield Pebble(running[1], directory, root, f"http://127.0.0.1:{dns_manage}")


def test_the_life_of_a_certificate(clone: Clone, pebble: Pebble) -> None:
    said = clone.push().err
    assert f"{NAME}: on http until the certificate is there; it is asked for now" in said
    assert f"{NAME} has no address: it is on http until it leads here" in said
    secure = clone.host.gear("tls", "settings", "--json").json()["port"]
    until(lambda: http_(clone.port, NAME)[0] == 308, "it is on https")
    first = serial(secure, NAME)
    assert clone.host.gear("tls", "renew").out == "nothing is due\n"

    with load(secure, NAME, pebble.root) as seen:
        clone.host.gear("tls", "renew", NAME)
    assert seen.lost == []
    assert seen.connections > 4, "no connection met the new certificate"
    second = serial(secure, NAME)
    assert second != first

    # A name that leads nowhere: so is said, and the certificate that is there goes on.
    lost = json.dumps({"host": f"{NAME}."}).encode()
    urllib.request.urlopen(f"{pebble.names}/set-servfail", lost, timeout=10).close()
    failed = clone.host.gear("tls", "renew", NAME, code=1)
    assert f"{NAME} does not lead here: " in failed.err
    assert serial(secure, NAME) == second
    assert f"no new certificate for {NAME}" in clone.gear("ps").err

    assert f"no new certificate for {NAME}" in clone.gear("releases").err
    shown = clone.host.gear("status", code=1).out
    assert f"no new certificate for {NAME}: {NAME} does not lead here: it has no address" in shown

    # Two at once: one asks, the other finds that nothing is to be done.
    urllib.request.urlopen(f"{pebble.names}/clear-servfail", lost, timeout=10).close()
    clone.host.gear("tls", "remove", NAME)
    clone.host.gear("tls", "renew", NAME)  # forgets the failure
    clone.host.gear("tls", "remove", NAME)
    both = [start(clone, "tls", "renew") for _ in range(2)]
    told = {"".join(one.communicate(timeout=120)) for one in both}
    assert told == {f"{NAME}: has a new certificate\n", "nothing is due\n"}
    second = serial(secure, NAME)

    # An authority that is away: the certificate that is there goes on.
    pebble.process.kill()
    pebble.process.wait(20)
    failed = clone.host.gear("tls", "renew", NAME, code=1)
    assert f"{NAME}: {pebble.directory} cannot be asked: ConnectionError" in failed.err
    assert serial(secure, NAME) == second
    done = clone.gear("doctor", "--server", code=4).out
    assert f"✗ {pebble.directory}, which certificates are asked of, gives no answer: " in done


def start(clone: Clone, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*GEAR, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=clone.host.environment(),
    )  # fmt: skip


def test_an_authority_on_a_bad_day(clone: Clone, pebble: Pebble, tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    secure = clone.host.gear("tls", "settings", "--json").json()["port"]
    with fake(ca) as one:
        clone.host.gear("tls", "settings", "--directory", f"{one.url}/dir")
        clone.host.gear("tls", "remove", NAME)

        # A rate limit: http goes on, and nobody is asked before the time that was told.
        one.limited = "7200"
        began = time.time()
        failed = clone.host.gear("tls", "renew", NAME, code=1).err
        assert f"{NAME}: {one.url}/dir takes no more requests for now: too many" in failed
        assert http_(clone.port, NAME)[0] == 200
        assert renewal.tries(Store(clone.host.folder / "edge" / "tls"))[NAME].again >= began + 7200
        asked = len(one.asked)
        assert clone.host.gear("tls", "renew").out == "nothing is due\n"
        assert len(one.asked) == asked
        assert f"no new certificate for {NAME}" in clone.gear("ps").err

        # By name it is tried at once. One that was killed while it asked holds up nobody.
        one.limited, one.hangs = "", True
        asking = start(clone, "tls", "renew", NAME)
        until(lambda: len(one.asked) > asked, "it asks")
        asking.kill()
        asking.communicate(timeout=20)
        one.hangs = False
        clone.host.gear("tls", "renew", NAME)
        first = serial(secure, NAME)
        assert "no new certificate" not in clone.gear("ps").err

        # One that was stored, and then `gear` was killed: the next renewal has it served.
        pair = ca.give(NAME)
        store = Store(clone.host.folder / "edge" / "tls")
        store.put(NAME, pair.cert.read_bytes(), pair.key.read_bytes(), Source.ACME)
        assert serial(secure, NAME) == first
        assert clone.host.gear("tls", "renew").out == "nothing is due\n"
        assert serial(secure, NAME) == pair.serial
        first = pair.serial

        # A clock that is days behind: the certificate that is there goes on.
        one.ahead = 3 * 86400.0
        failed = clone.host.gear("tls", "renew", NAME, code=1).err
        assert f"{NAME}: this machine's clock is 3 days behind that of {one.url}/dir" in failed
        assert "set the clock right: sudo timedatectl set-ntp true" in failed
        assert serial(secure, NAME) == first
        found = clone.gear("doctor", "--server", code=4).out
        assert f"✗ this machine's clock is 3 days behind that of {one.url}/dir" in found

        # Names that are not to be had.
        said = clone.host.gear("tls", "renew", "*.gear.test", code=3).err
        assert "a certificate for *.gear.test is not to be had by HTTP-01" in said
        said = clone.host.gear("tls", "renew", "other.test", code=3).err
        assert "no live app has the domain other.test" in said

        # It ends in ten days, and there is no other.
        one.ahead, one.until = 0.0, 10 * DAY
        clone.host.gear("tls", "renew", NAME)
        assert f"the certificate of {NAME} ends in 10 days" in clone.gear("ps").err
        assert f"the certificate of {NAME} ends in 10 days" in clone.host.gear("status", code=1).out
        assert (
            f"the certificate of {NAME} ends in 10 days"
            in clone.host.gear("tls", "list", code=1).out
        )
