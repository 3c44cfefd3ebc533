"""Runs the migrations: `alembic upgrade head`, as the owner of the tables.

Geartrain does this before each switch, while the version before still answers: write
changes that both versions can live with.
"""

from __future__ import annotations

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, make_url, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

LOCK = 0x6C696E6B73  # any number that all runners share


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def main() -> None:
    url = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+asyncpg")
    # A migration that cannot get its table lock fails, instead of stalling the live app.
    limits = {"lock_timeout": "5s", "statement_timeout": "0"}
    engine = create_async_engine(
        url, poolclass=pool.NullPool, connect_args={"server_settings": limits}
    )
    async with engine.connect() as guard, engine.connect() as connection:
        # One runner at a time. Held by a connection of its own, which does nothing else.
        await guard.execution_options(isolation_level="AUTOCOMMIT")
        await guard.execute(text("SET lock_timeout = '60s'"))
        await guard.execute(text(f"SELECT pg_advisory_lock({LOCK})"))
        await connection.run_sync(migrate)
        await connection.commit()
    await engine.dispose()


asyncio.run(main())
