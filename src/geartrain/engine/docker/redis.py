"""Redis or Valkey in a container: its configuration, mounted."""

from __future__ import annotations

from typing import Any

from geartrain import durable
from geartrain.app.credentials import CacheLogins
from geartrain.app.model import Keep, Service
from geartrain.app.roles import image_base
from geartrain.engine.docker.host import DockerHome
from geartrain.render import compose
from geartrain.render import valkey as render

DATA = "/data"
INSIDE = "/run/geartrain"
SERVERS = {"redis": "redis-server", "valkey": "valkey-server", "keydb": "keydb-server"}


def definition(home: DockerHome, service: Service, logins: CacheLogins) -> dict[str, Any]:
    """What its container has besides what every data service has."""
    folder = home.data / service.name
    conf = folder / "conf"
    for path in (folder, conf):
        path.mkdir(mode=0o700, exist_ok=True)
    for name, file in render.files(service, logins, "*", INSIDE, DATA).items():
        # Only hashes of passwords are in it; nobody else here may enter the folder.
        durable.write(folder / name, file.text, 0o444)
    conf.chmod(0o755)
    own = {k: v for k, v in service.environment.items() if k != "ALLOW_EMPTY_PASSWORD"}
    return {
        "environment": own,
        "command": [server(service), f"{INSIDE}/conf/valkey.conf"],
        "volumes": [
            compose.bind(compose.Bind(source=str(conf), target=f"{INSIDE}/conf", read_only=True))
        ],
        "tmpfs": ["/tmp"],  # noqa: S108 - the container's own
        "stop_grace_period": f"{max(service.stop_grace, 10.0):g}s",
    }


def server(service: Service) -> str:
    """The server's program in an image."""
    return SERVERS.get(image_base(service.image or service.built.base), "redis-server")


def keeps(service: Service) -> bool:
    """True when what it holds outlives it."""
    return render.keep_of(service) is Keep.DURABLE
