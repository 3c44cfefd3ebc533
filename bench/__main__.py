"""`python -m bench`: measure all parts, or those that are named."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

from bench.figures import Figure, table

PARTS = ("command", "idle", "start", "release", "push", "neighbours", "edge", "links", "reload")
MODULES = {"command": "commands", "start": "starts", "edge": "throughput"}


def main() -> int:
    """Print a table; exit with 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--runs", type=int, default=9, help="runs of each (default %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="keep the figures ('-': print only them)")
    options = parser.parse_args()
    figures: list[Figure] = []
    for part in options.parts or [p for p in PARTS if p != "reload"]:
        if part not in PARTS:
            parser.error(f"there is no part {part!r}; there are {', '.join(PARTS)}")
        print(f"{part} …", file=sys.stderr)
        module = importlib.import_module(f"bench.{MODULES.get(part, part)}")
        figures += module.measure(options.runs)
    plain = json.dumps(
        {"cpus": os.cpu_count(), "runs": options.runs, "figures": [f.plain() for f in figures]},
        indent=2,
    )
    if options.json == "-":
        print(plain)
    else:
        if options.json:
            Path(options.json).write_text(plain + "\n")
        print(table(figures))
    return int(any(figure.good is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
