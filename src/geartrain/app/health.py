"""What a Compose healthcheck asks for, where it is a URL of the container itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

_URL = re.compile(
    r"(?<![\w.:/-])(?:http://)?(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d{1,5}))?(?![\w.-])(/[^\s'\"|;&)]*)?"
)
_ASKING = re.compile(r"\b(curl|wget|urlopen|urllib|requests|httpx|fetch)\b")


def local_url(test: Sequence[str]) -> tuple[int | None, str] | None:
    """Port (None when the URL names none) and path of a check that only asks a local URL.

    Such a check can be done from outside, without the program that it names and
    as often as one likes. What is asked over https is left to it.

    >>> local_url(["CMD", "curl", "-f", "http://localhost:8000/health"])
    (8000, '/health')
    """
    line = " ".join(test)
    # curl takes `localhost:8000/health` too, and an option may name hosts: the longest is asked.
    url = max(_URL.finditer(line), key=lambda one: len(one[0]), default=None)
    if url is None or not _ASKING.search(line):
        return None
    return int(url[1]) if url[1] else None, url[2] or "/"
