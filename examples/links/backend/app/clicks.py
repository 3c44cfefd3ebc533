"""Clicks on their way: a redirect is answered only after its click is safe.

Redis takes clicks as entries of a stream, from which a worker moves them into PostgreSQL.
While Redis is away they are written to PostgreSQL directly. A call that failed may have
worked all the same; then both have the click, and its id sees to it that it counts once.

One call carries the clicks of all visitors who wait (a group commit), so a busy process
makes no more calls than an idle one.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg

from app import metrics
from app.database import retried
from app.fast import AwayError, Fast

STREAM = "clicks"
LARGEST = 1000  # clicks in one entry
_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Click:
    """One visit to a short link; `at` is in milliseconds since 1970."""

    id: str
    link: int
    at: int


def pack(clicks: list[Click]) -> str:
    """The text of one entry of the stream."""
    return json.dumps([[c.id, c.link, c.at] for c in clicks], separators=(",", ":"))


def unpack(text: str) -> list[Click]:
    """The clicks of one entry.

    Raises:
        ValueError: it is no such text.
    """
    try:
        return [Click(UUID(one).hex, int(link), int(at)) for one, link, at in json.loads(text)]
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error


async def store(pool: asyncpg.Pool, clicks: list[Click]) -> None:
    """Write clicks to PostgreSQL, each once however often it is given.

    Those of links that are deleted meanwhile go with them.
    """
    given = sorted(clicks, key=lambda c: c.id)  # in one order, so that writers cannot deadlock
    columns = [UUID(c.id) for c in given], [c.link for c in given], [c.at / 1000 for c in given]

    async def insert() -> None:
        await pool.execute(
            """
            INSERT INTO clicks (id, link_id, at)
            SELECT given.id, links.id, to_timestamp(given.at)
            FROM unnest($1::uuid[], $2::bigint[], $3::float8[]) AS given (id, link, at)
            JOIN links ON links.id = given.link
            ORDER BY given.id
            ON CONFLICT (id) DO NOTHING
            """,
            *columns,
        )

    try:
        await retried(insert)
    except asyncpg.ForeignKeyViolationError:  # a link went between the join and the insert
        await retried(insert)


class Recorder:
    """Puts clicks in a safe place, those that wait at the same time together."""

    def __init__(self, fast: Fast, pool: asyncpg.Pool) -> None:
        self._fast = fast
        self._pool = pool
        self._waiting: list[tuple[Click, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def record(self, link: int, visit: str) -> None:
        """Return when the click is safe.

        Args:
            link: the link's id.
            visit: nginx's id of the request, which becomes the click's. nginx gives a request
                to a second backend when the first one dies, and it is still one click.

        Raises:
            one of `database.DOWN`: neither Redis nor PostgreSQL took it.
        """
        number = visit if _ID.fullmatch(visit) else uuid4().hex
        click = Click(number, link, int(time.time() * 1000))
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((click, future))
        if self._task is None:
            self._task = asyncio.create_task(self._flush())
        await future

    async def close(self) -> None:
        """Wait until all that were given are safe, or refused."""
        if self._task:
            await self._task

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
            failure: BaseException | None = None
            try:
                await self._put([click for click, _ in batch])
            except Exception as error:
                failure = error
            for _, future in batch:
                if future.done():  # the visitor has gone
                    continue
                if failure is None:
                    future.set_result(None)
                else:
                    future.set_exception(failure)
        self._task = None

    async def _put(self, clicks: list[Click]) -> None:
        entry = {"clicks": pack(clicks)}
        try:
            await self._fast.ask(lambda redis: redis.xadd(STREAM, entry))
            metrics.CLICKS.labels("redis").inc(len(clicks))
        except AwayError:
            await store(self._pool, clicks)
            metrics.CLICKS.labels("database").inc(len(clicks))
