"""Whether a registry answers, and pulling from it. A "no" is remembered for a while.

Only the daemon knows how it reaches registries (mirrors, proxies, credentials), so it is the one
that pulls. But it waits long for one that is silent; a short question of our own comes first where
that says anything.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from geartrain import durable
from geartrain.engine.docker.client import docker
from geartrain.engine.docker.images.reference import DOCKER_HUB, Reference
from geartrain.engine.protocol import Say
from geartrain.run import CommandError

QUESTION = 5.0
"""Seconds that a registry has to say anything at all."""
TRANSFER = 1800.0
"""Seconds for a pull, once the registry has answered."""
REMEMBERED = 600.0
"""Seconds for which a registry that was out of reach is not asked again."""
HUB_HOST = "registry-1.docker.io"
# Error codes of the OCI distribution specification, as the daemon words them: the registry was
# there, and said no to this image.
_SAID_NO = ("manifest unknown", "not found", "does not exist", "access denied", "unauthorized",
            "no matching manifest", "name unknown", "denied:")  # fmt: skip


class Pull(StrEnum):
    """How a pull went."""

    DONE = "done"
    REFUSED = "refused"  # the registry answered, and does not give this image
    UNREACHABLE = "unreachable"


class Registries:
    """Pulls images, and remembers in a file which registries are out of reach.

    Args:
        memory: the file; its folder exists.
        now: the clock, a Unix time in seconds.
    """

    def __init__(self, memory: Path, now: Callable[[], float] = time.time) -> None:
        self._memory = memory
        self._now = now

    def pull(self, reference: Reference, say: Say) -> tuple[Pull, str]:
        """Pull an image; returns how it went and the daemon's last line."""
        host = reference.registry
        if not self.reaches(host):
            return Pull.UNREACHABLE, f"{host} does not answer"
        name = reference.familiar + (f"@{reference.digest}" if reference.digest else "")
        say(f"pulling {name}")
        try:
            docker("pull", "--quiet", "--", name, timeout=TRANSFER)
        except CommandError as error:
            said = (error.done.err.strip().splitlines() or ["it took too long"])[-1]
            if any(words in said.lower() for words in _SAID_NO):
                return Pull.REFUSED, said
            self._remember(host)
            return Pull.UNREACHABLE, said
        return Pull.DONE, ""

    def reaches(self, host: str) -> bool:
        """Whether it is worth while to ask a registry."""
        silent_since = self._read().get(host)
        if silent_since is not None and 0 <= self._now() - silent_since < REMEMBERED:
            return False
        if _local(host) or _mirrored() or answers(host):
            return True
        self._remember(host)
        return False

    def forget(self) -> None:
        """Ask every registry again from now on."""
        self._memory.unlink(missing_ok=True)

    def _read(self) -> dict[str, float]:
        try:
            found = json.loads(self._memory.read_text())
        except (OSError, ValueError):
            return {}
        pairs = found.items() if isinstance(found, dict) else ()
        return {str(k): float(v) for k, v in pairs if isinstance(v, int | float)}

    def _remember(self, host: str) -> None:
        durable.write(self._memory, json.dumps({**self._read(), host: self._now()}))


def answers(host: str) -> bool:
    """Whether anything at a registry's address speaks HTTP; any status will do."""
    import urllib.error
    import urllib.request

    name = HUB_HOST if host == DOCKER_HUB else host
    try:
        with urllib.request.urlopen(f"https://{name}/v2/", timeout=QUESTION):
            return True
    except urllib.error.HTTPError:
        return True
    except urllib.error.URLError as error:
        # The daemon may trust, or be told to trust, more than this process does.
        return isinstance(error.reason, ssl.SSLCertVerificationError)
    except OSError:
        return False


def _local(host: str) -> bool:
    """Registries on this machine speak plain HTTP, and answer at once."""
    name = host.rpartition(":")[0] or host
    return name in ("localhost", "[::1]") or name.startswith("127.")


def _mirrored() -> bool:
    """Whether the daemon asks somebody else than the registry itself."""
    words = ("info", "--format", "{{json .RegistryConfig.Mirrors}} {{.HTTPSProxy}}")
    said = docker(*words, check=False).out.strip()
    return said not in ("", "[]", "null")
