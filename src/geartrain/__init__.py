"""Geartrain: bring the Compose file you already have; get a production system."""

import os
import sys

__version__ = "0.1.0"

# A server's `current` leads to the version in use, and may lead to another one while this runs.
# Whatever this process loads later is of the version that it began with.
if os.path.realpath(__file__) != os.path.abspath(__file__):  # noqa: PTH100 - before pathlib is here
    sys.path[:] = [os.path.realpath(path) if path else path for path in sys.path]
    __path__ = [os.path.realpath(path) for path in __path__]
