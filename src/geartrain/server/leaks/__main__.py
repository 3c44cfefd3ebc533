"""A search in a process of its own, with REPOSITORY OBJECTS COMMIT SECONDS as its arguments.

It works beside the rest of a push, on another processor, and what a stranger's file
does to a regular expression ends with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from geartrain.engine.giving_way import give_way
from geartrain.errors import InvalidError
from geartrain.release.git import Git
from geartrain.server.leaks import offline
from geartrain.server.leaks.found import Answer


def main() -> int:
    """Print what was found, as JSON."""
    give_way()
    offline.stay()
    from geartrain.server.leaks.search import search

    repository, objects, commit, seconds = sys.argv[1:]
    git = Git(Path(repository), quarantine=Path(objects))
    try:
        answer = Answer(found=search(git, commit, float(seconds)))
    except InvalidError as error:
        answer = Answer(what=error.what, where=error.where, remedy=error.remedy)
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
