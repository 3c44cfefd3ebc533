"""The embedded engine: processes from pip-installed binaries, no Docker, no root."""
