"""What `tests/apps/broken` does wrong, and what its user reads of it."""

from __future__ import annotations

from pathlib import Path

# folder → what the user reads: the instance, the reason, its last words
SAID = {
    "exits": ("web.{n}.1", "exit code 1", "RuntimeError: no setting SMTP_HOST", "one more line"),
    "unhealthy": ("web.{n}.1", "GET /healthz", "500"),
    "deaf": ("web.{n}.1", "starting, as ever", "listens on no port at all"),
    "wrong_port": ("web.{n}.1", "9999", "x-gear.port"),
    "failing_migration": ("web.{n}.0", "release command of web", "exit code 2"),
    "crash_loop": ("worker.{n}.1", "exit code"),
}
QUICK = """\
    healthcheck: { test: [CMD, curl, "-f", "http://localhost:8080/healthz"], start_period: 3s }
"""


def impatient(folder: Path, app: str) -> None:
    """Let those that never get ready fail after three seconds, not after thirty."""
    file = folder / "docker-compose.yml"
    if app in ("unhealthy", "deaf", "wrong_port"):
        file.write_text(file.read_text().replace("    x-gear:", QUICK + "    x-gear:"))


def assert_told(text: str, app: str, number: int) -> None:
    for part in SAID[app]:
        assert part.format(n=number) in text, f"{part!r} is not in\n{text}"
    assert "\n  → " in text, "no remedy"
