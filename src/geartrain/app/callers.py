"""The ports on which services call each other: `http://api:5000`, `proxy_pass http://web:8000`.

A Dockerfile need not say on which port its program listens. Those who call it know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from geartrain.app.model import App, Service


def called_on(app: App, texts: Iterable[str] = ()) -> dict[str, int]:
    """The port that each service is called on, by the first place that names one.

    Args:
        app: the services, whose environments and commands are looked through.
        texts: further places, such as nginx's configuration.
    """
    said = [text for service in app.services.values() for text in _words(service)]
    said += texts
    found = {}
    for service in app.services.values():
        names = "|".join(re.escape(name) for name in (service.name, *service.aliases))
        pattern = re.compile(rf"(?<![\w.-])(?:{names}):(\d{{2,5}})(?![\w.])")
        ports = (int(one[1]) for text in said for one in pattern.finditer(text))
        if port := next((number for number in ports if number <= 65535), None):
            found[service.name] = port
    return found


def _words(service: Service) -> tuple[str, ...]:
    words = (*(service.entrypoint or ()), *(service.command or ()))
    return (*service.environment.values(), *service.built.environment.values(), *words)
