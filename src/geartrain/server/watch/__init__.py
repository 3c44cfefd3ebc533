"""The watcher of a host: what hangs is restarted, what is gone comes back, jobs start when due."""

NOT_NEEDED = 3
"""The exit code of `mend` for what is well again, or should not run."""
