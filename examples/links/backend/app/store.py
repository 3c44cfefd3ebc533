"""Accounts, links and statistics in PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Collection

import asyncpg

from app.cache import Target

# Clicks that the tally has not reached yet are few; counting them keeps every answer exact.
COLUMNS = """
    links.id, links.slug, links.url, links.created_at,
    links.clicks + (SELECT count(*) FROM clicks WHERE link_id = links.id AND NOT counted) AS clicks
"""


class Store:
    """What the API asks of PostgreSQL. Every query names the account whose rows it may see."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool

    async def answers(self) -> None:
        """Raise one of `database.DOWN` unless the database answers within two seconds."""
        await self.pool.execute("SELECT FROM links LIMIT 1", timeout=2)

    async def add_account(self, name: str, password: str) -> int | None:
        """A new account's id; None when the name is taken."""
        return await self.pool.fetchval(
            "INSERT INTO accounts (name, password) VALUES ($1, $2)"
            " ON CONFLICT (name) DO NOTHING RETURNING id",
            name,
            password,
        )

    async def account(self, name: str) -> asyncpg.Record | None:
        return await self.pool.fetchrow(
            "SELECT id, name, password FROM accounts WHERE name = $1", name
        )

    async def target(self, slug: str) -> Target | None:
        """Where a slug leads, for whomever."""
        row = await self.pool.fetchrow("SELECT id, url FROM links WHERE slug = $1", slug)
        return Target(row["id"], row["url"]) if row else None

    async def add_link(self, account: int, url: str, slug: str | None) -> asyncpg.Record | None:
        """Store a link; None when the asked-for slug is taken."""
        while True:
            row = await self.pool.fetchrow(
                "INSERT INTO links (account_id, slug, url) VALUES ($1, $2, $3)"
                " ON CONFLICT (slug) DO NOTHING RETURNING id, slug, url, created_at, clicks",
                account,
                slug or secrets.token_urlsafe(5),
                url,
            )
            if row is not None or slug is not None:
                return row

    async def links(self, account: int, before: int, limit: int) -> list[asyncpg.Record]:
        """An account's newest links with an id below `before`."""
        return await self.pool.fetch(
            f"SELECT {COLUMNS} FROM links WHERE account_id = $1 AND id < $2"
            " ORDER BY id DESC LIMIT $3",
            account,
            before,
            limit,
        )

    async def link(self, account: int, slug: str) -> asyncpg.Record | None:
        return await self.pool.fetchrow(
            f"SELECT {COLUMNS} FROM links WHERE account_id = $1 AND slug = $2", account, slug
        )

    async def change_link(self, account: int, slug: str, url: str) -> asyncpg.Record | None:
        return await self.pool.fetchrow(
            f"UPDATE links SET url = $3 WHERE account_id = $1 AND slug = $2 RETURNING {COLUMNS}",
            account,
            slug,
            url,
        )

    async def delete_link(self, account: int, slug: str) -> bool:
        done = await self.pool.execute(
            "DELETE FROM links WHERE account_id = $1 AND slug = $2", account, slug
        )
        return done == "DELETE 1"

    async def days(self, link: int) -> list[asyncpg.Record]:
        """Clicks on each of the last 30 days (UTC) that had any."""
        return await self.pool.fetch(
            """
            SELECT day, sum(clicks)::bigint AS clicks FROM (
                SELECT day, clicks FROM days WHERE link_id = $1
                UNION ALL
                SELECT (at AT TIME ZONE 'UTC')::date, 1 FROM clicks
                WHERE link_id = $1 AND NOT counted
            ) AS every
            WHERE day > (now() AT TIME ZONE 'UTC')::date - 30
            GROUP BY day ORDER BY day
            """,
            link,
        )

    async def totals(self, links: Collection[int]) -> dict[int, dict[str, int]]:
        """Account → slug → clicks in all, of some links."""
        rows = await self.pool.fetch(
            f"SELECT account_id, {COLUMNS} FROM links WHERE id = ANY($1::bigint[])", list(links)
        )
        found: dict[int, dict[str, int]] = {}
        for row in rows:
            found.setdefault(row["account_id"], {})[row["slug"]] = row["clicks"]
        return found
