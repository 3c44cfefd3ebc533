"""The `gear` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `gear`. `--version` alone answers without loading anything else."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from geartrain import __version__

        sys.stdout.write(f"gear {__version__}\n")
        return
    from geartrain.cli.main import run

    sys.exit(run())


if __name__ == "__main__":
    main()
