"""What the history tells: one event a commit, in words for people and as a value for programs."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class What(StrEnum):
    """What happened."""

    LIVE = "live"  # a release got the requests
    FAILED = "failed"  # it did not, and the one before went on
    SAME = "same"  # a commit came that runs no differently from the live release
    ROLLED_BACK = "rolled back"  # an earlier release got the requests again
    SCALED = "scaled"
    TROUBLE = "trouble"  # it went wrong after the switch, and was left as it is
    STOPPED = "stopped"
    RESTARTED = "restarted"  # an instance that hung, or was not there any more


GOT_LIVE = (What.LIVE, What.ROLLED_BACK)
"""What happened to a release that can be gone back to."""


class Timing(Struct, frozen=True, kw_only=True):
    """A step and the seconds that it took."""

    step: str
    seconds: float


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of an app's history.

    `at` is RFC 3339 in UTC. `commits` are the subjects of what came with the
    release, newest first; `changes` its configuration against the release
    before, values that may be secret left out. `service` and `instance` say
    what was restarted.
    """

    what: What
    release: int | None = None
    before: int | None = None
    at: str = ""
    by: str = ""
    via: str = ""
    why: str = ""
    commit: str = ""
    since: str = ""
    commits: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    images: dict[str, str] = {}
    migrated: tuple[str, ...] = ()
    replicas: dict[str, int] = {}
    seconds: float | None = None
    steps: tuple[Timing, ...] = ()
    monitor: float = 0.0
    service: str = ""
    instance: str = ""

    @property
    def title(self) -> str:
        """The event in one line."""
        match self.what:
            case What.LIVE:
                return f"release {self.release} is live"
            case What.FAILED:
                return f"release {self.release} failed"
            case What.SAME:
                return f"{self.commit[:12]} runs as release {self.release}"
            case What.ROLLED_BACK:
                return f"rolled back from release {self.before} to {self.release}"
            case What.SCALED:
                said = ", ".join(f"{name}={count}" for name, count in self.replicas.items())
                return f"scaled release {self.release}: {said or 'as the Compose file says'}"
            case What.TROUBLE:
                return f"release {self.release} is in trouble"
            case What.STOPPED:
                return "stopped"
            case What.RESTARTED:
                return f"{self.instance} was restarted"

    @property
    def trailers(self) -> dict[str, str]:
        """What `git log` can be asked for by name."""
        said = {
            "release": "" if self.release is None else str(self.release),
            "commit": self.commit,
            "by": self.by,
            "via": self.via,
            "service": self.service,
            "seconds": "" if self.seconds is None else f"{self.seconds:.2f}",
        }
        return {key: text for key, text in said.items() if text}
