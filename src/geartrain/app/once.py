"""Services that do one thing and end: migrations, seeds, the making of buckets.

Compose starts such a service, and when it has ended it stays ended, without a
word in the file about it. Here an end means a restart, unless the file says
`restart: "no"` or another service waits for it to complete; or unless its
command or its name says plainly that it does one thing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from geartrain.app.model import Condition, Service
from geartrain.app.ports import SHELLS, command_port
from geartrain.app.reader import Reader

_NAME = re.compile(
    r"(.*[-_.])?(migrat(e|ions?|or)|init|initdb|seed(er|s)?|setup|prestart|create[-_]?buckets?)"
    r"([-_.](db|database|data|minio|buckets?|storage))?"
)
# What the last command of a line is, when it ends by itself.
_COMMAND = re.compile(
    r"\b(manage\.py (migrate|collectstatic|loaddata|createcachetable|compilemessages)"
    r"|alembic (-\S+ \S+ )*upgrade|aerich upgrade|flask db upgrade|yoyo apply"
    r"|(rails|rake) db:\w+|prisma (migrate deploy|db push|db seed)|sequelize(-cli)? db:\w+"
    r"|knex migrate:\w+|typeorm migration:run|artisan (migrate|db:seed)|doctrine:migrations:migrate"
    r"|(npm|yarn|pnpm)( run)? (db:)?(migrat\w+|seed)\b|diesel migration run|goose \S.* up|dbmate up"
    r"|flyway .*\bmigrate|liquibase .*\bupdate|mc (mb|anonymous|policy)|pg_dump|pg_restore|psql)\b"
)
_THEN = re.compile(r"&&|\|\||;|\n")


def runs_once(service: Service) -> bool:
    """True for a service that ends by itself, by its own command, or its name.

    Args:
        service: its `restart` says nothing.
    """
    own = (*(service.entrypoint or ()), *(service.command or ()))
    if command_port(own) is not None:
        return False
    steps = [step.strip() for step in _THEN.split(_line(own)) if step.strip()]
    if steps and (_COMMAND.search(steps[-1]) or re.fullmatch(r"exit( 0)?", steps[-1])):
        return True
    return bool(own or service.build) and _NAME.fullmatch(service.name.lower()) is not None


def _line(words: tuple[str, ...]) -> str:
    """The words as one line, without the shell that they are given to."""
    if len(words) > 2 and words[0].rpartition("/")[2] in SHELLS and words[1].startswith("-"):
        words = words[2:]
    return " ".join(words)


def awaited(services: Mapping[str, Service]) -> set[str]:
    """The services that another one waits for to complete."""
    needs = (one for s in services.values() for one in s.depends_on)
    return {one.service for one in needs if one.condition is Condition.COMPLETED}


def guessed(services: Mapping[str, Service], raw: Mapping[str, Reader]) -> list[str]:
    """The services that run once by their command or name; no word of the file says so."""
    waited_for = awaited(services)
    return [
        name
        for name, s in services.items()
        if name not in waited_for
        and _unsaid(raw[name])
        and not (serves(s) or s.expose or s.gear.role)
        and runs_once(s)
    ]


def serves(service: Service) -> bool:
    """True for a service that others use, or that a schedule starts: it does not run once."""
    gear = service.gear
    return bool(service.ports or gear.routes or gear.health or gear.static or gear.schedule)


def _unsaid(raw: Reader) -> bool:
    """True when the file does not say what happens when the service ends."""
    return raw.get("restart") is None and raw.child("deploy").get("restart_policy") is None
