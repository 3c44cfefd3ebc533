"""Let's Encrypt's test server, outside of a server in a container, over Docker's bridge."""

from __future__ import annotations

import ipaddress
import json
import os
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from geartrain.engine.listeners import holder
from tests.cli.running import until
from tests.dockerd import docker
from tests.ports import free_port
from tests.server.tls.pem import Authority

NAME = "pebble.gear.test"


def outside() -> str:
    """This machine's address on Docker's bridge."""
    subnet = docker("network", "inspect", "bridge", "--format={{(index .IPAM.Config 0).Subnet}}")
    return str(ipaddress.ip_network(subnet)[1])


@dataclass
class Acme:
    """The authority.

    Attributes:
        directory: its address, by a name that the server has in /etc/hosts.
        authority: whom to trust when it is asked.
        root: whom to trust for what it signs.
    """

    directory: str
    authority: Path
    root: Path
    _names: str

    def lead(self, address: str) -> None:
        """Every name in the world is this address."""
        body = json.dumps({"ip": address}).encode()
        urllib.request.urlopen(f"{self._names}/set-default-ipv4", body, timeout=10).close()


@contextmanager
def acme(folder: Path) -> Iterator[Acme]:
    """Run it while the block runs.

    Args:
        folder: for its files, empty.
    """
    ca = Authority(folder)
    pair = ca.give(NAME, "localhost")
    here = outside()
    dns, names, asked, manage = (free_port() for _ in range(4))
    config = {
        "listenAddress": f"{here}:{asked}", "managementListenAddress": f"127.0.0.1:{manage}",
        "certificate": str(pair.cert), "privateKey": str(pair.key),
        "httpPort": 80, "tlsPort": 443, "certificateValidityPeriod": 90 * 86400,
    }  # fmt: skip
    file = folder / "pebble.json"
    file.write_text(json.dumps({"pebble": config}))
    env = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"}
    programs = (
        ["pebble-challtestsrv", "-http01", "", "-https01", "", "-tlsalpn01", "",
         "-dns01", f"127.0.0.1:{dns}", "-defaultIPv6", "", "-management", f"127.0.0.1:{names}"],
        ["pebble", "-config", str(file), "-dnsserver", f"127.0.0.1:{dns}"],
    )  # fmt: skip
    with ExitStack() as stack:
        for words in programs:
            log = stack.enter_context((folder / f"{words[0]}.log").open("wb"))
            one = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
            stack.callback(one.wait, 20)
            stack.callback(one.kill)
        until(lambda: b"Listening on" in (folder / "pebble.log").read_bytes(), "pebble listens")
        until(lambda: holder("127.0.0.1", names) is not None, "its name server can be told names")
        context = ssl.create_default_context(cafile=str(ca.file))
        root = folder / "root.pem"
        address = f"https://localhost:{manage}/roots/0"
        with urllib.request.urlopen(address, context=context, timeout=10) as answer:
            root.write_bytes(answer.read())
        yield Acme(f"https://{NAME}:{asked}/dir", ca.file, root, f"http://127.0.0.1:{names}")
