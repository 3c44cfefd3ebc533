"""Runs and never listens."""

from __future__ import annotations

import time

print("starting, as ever")
while True:
    time.sleep(60)
