"""nginx configurations in the shapes that public projects have, and a host for them."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import structs

from geartrain.app.config_file import ConfigFile
from geartrain.render.nginx.mapping import Mapping

CONFIGS = Path(__file__).parent / "configs"
HOST = Path("/srv/geartrain")


def sources(case: str) -> dict[str, ConfigFile]:
    folder = CONFIGS / case
    return {
        f"/etc/nginx/{path.relative_to(folder)}": ConfigFile(
            f"nginx/{path.relative_to(folder)}", path.read_text()
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def mapping(found: dict[str, ConfigFile], **changes: object) -> Mapping:
    plain = Mapping(
        sources=found,
        servers={
            "backend": ("127.3.0.1:8080", "127.3.0.2:8080"),
            "api": ("127.3.0.3:9000",),
            "cache": ("127.3.0.4:6379",),
            "postgres": ("127.3.0.5:5432",),
        },
        listen={80: ("127.0.0.1:18080",), 8080: ("127.0.0.1:18081",), 6380: ("127.0.0.1:18082",),
                5433: ("127.0.0.1:18083",)},
        home=str(HOST / "conf"),
        folder=str(HOST / "run"),
        mounts=(
            ("/srv/app", str(HOST / "release/php app")),
            ("/srv/static", str(HOST / "release/static")),
            ("/srv/media", str(HOST / "data/media")),
            ("/etc/nginx/.htpasswd", str(HOST / "release/nginx/htpasswd")),
            ("/etc/letsencrypt", str(HOST / "data/letsencrypt")),
        ),
        environment={
            "BACKEND_HOST": "backend", "BACKEND_PORT": "8080", "NGINX_PORT": "80",
            "DOMAIN": "shop.example",
        },
        admin="127.0.0.1:18089",
        generation="7-abc",
    )  # fmt: skip
    return structs.replace(plain, **changes)


def moved(text: str, folder: Path) -> str:
    """The same text, run below another folder: only the prefix of its paths changes."""
    return re.sub(rf"{HOST}(?=/|\b)", str(folder), text)
