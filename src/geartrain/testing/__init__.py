"""For tests of the release path: an engine in memory, and small apps to release.

`MemoryEngine` keeps the same contract as the real engines and is
deterministic. Its `script` says how each version behaves, its `moments` where
whoever uses it is killed.
"""

from geartrain.testing.behaviour import Exclusive, Exits, Healthy, NeverAnswers
from geartrain.testing.crash import Crash, Moments
from geartrain.testing.memory import MemoryEngine
from geartrain.testing.script import Script
from geartrain.testing.world import World

__all__ = [
    "Crash",
    "Exclusive",
    "Exits",
    "Healthy",
    "MemoryEngine",
    "Moments",
    "NeverAnswers",
    "Script",
    "World",
]
