"""What the app is told by its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Addresses and limits; times are seconds."""

    database_url: str
    redis_url: str
    pool_size: int = 8
    cache_seconds: int = 60
    local_seconds: float = 1.0
    session_seconds: int = 7 * 86400

    @classmethod
    def read(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings, or end the program with the name of what is missing."""
        missing = [name for name in ("DATABASE_URL", "REDIS_URL") if not env.get(name)]
        if missing:
            raise SystemExit(f"set {' and '.join(missing)}")
        given = {
            field: kind(env[name])
            for name, field, kind in (
                ("POOL_SIZE", "pool_size", int),
                ("CACHE_SECONDS", "cache_seconds", int),
                ("LOCAL_SECONDS", "local_seconds", float),
                ("SESSION_SECONDS", "session_seconds", int),
            )
            if env.get(name)
        }
        return cls(database_url=env["DATABASE_URL"], redis_url=env["REDIS_URL"], **given)
