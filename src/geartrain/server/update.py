"""What a push asks for: the refs that it would move, and its options. See githooks(5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from geartrain.app.finding import nearest
from geartrain.errors import InvalidError
from geartrain.release.history import NONE

OPTIONS = ("no-wait", "plan")


class Update(Struct, frozen=True, kw_only=True):
    """The one ref that a push moves. `old` is "" when it is new."""

    old: str
    new: str


def read(lines: Iterable[str], ref: str) -> Update:
    """The update of the ref that releases; everything else is refused.

    Args:
        lines: what the hook gets, `OLD NEW REF` each.
        ref: the ref that releases.

    Raises:
        InvalidError: the push moves something else, or deletes.
    """
    branch = ref.removeprefix("refs/heads/")
    wanted: Update | None = None
    for line in lines:
        old, new, name = line.rstrip("\n").split(" ", 2)
        if name != ref:
            kind, short = _kind(name)
            raise InvalidError(
                f"{kind} {_plain(short)} was refused: only pushes to the branch {branch} release",
                remedy=f"git push REMOTE HEAD:{branch}",
            )
        if new == NONE:
            raise InvalidError(f"the branch {branch} cannot be deleted: it is what runs")
        wanted = Update(old="" if old == NONE else old, new=new)
    if wanted is None:
        raise InvalidError("the push moves nothing")
    return wanted


def options(environ: Mapping[str, str]) -> frozenset[str]:
    """What was said with `git push -o`.

    Raises:
        InvalidError: an option that is not known.
    """
    count = int(environ.get("GIT_PUSH_OPTION_COUNT") or 0)
    said = [environ.get(f"GIT_PUSH_OPTION_{number}", "") for number in range(count)]
    for option in said:
        if option not in OPTIONS:
            guess = nearest(option, OPTIONS)
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise InvalidError(
                f"unknown push option {_plain(option)!r}{hint}",
                remedy=f"there are {' and '.join(OPTIONS)}",
            )
    return frozenset(said)


def _kind(ref: str) -> tuple[str, str]:
    for prefix, kind in (("refs/heads/", "the branch"), ("refs/tags/", "the tag")):
        if ref.startswith(prefix):
            return kind, ref.removeprefix(prefix)
    return "the ref", ref


def _plain(text: str) -> str:
    """Without control characters: it is printed on somebody's terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)[:200]
