"""The history of a host: `refs/gear/log` in its repository, one commit an event.

The tip's `state.json` is the desired state. It changes by compare-and-swap on
the ref, so of two writers one wins and the other is told. `git log
refs/gear/log` is the audit trail.
"""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from geartrain.errors import Exit, GearError
from geartrain.release.events import Event
from geartrain.release.git import Git, clear_abandoned
from geartrain.run import CommandError

LOG = "refs/gear/log"
NONE = "0" * 40


class Desired(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What should run.

    `live` is the live release's number, `last` the last number given out,
    `commit` what the branch that releases should be at, `replicas` how many
    copies of a service somebody asked for, whatever the Compose file says.
    """

    live: int | None = None
    last: int = 0
    commit: str = ""
    replicas: dict[str, int] = {}
    stopped: bool = False


class History:
    """Reads and writes the log of one host.

    Args:
        repository: its bare repository.
    """

    def __init__(self, repository: Path) -> None:
        self._git = Git(repository)
        self._read: str | None = None  # the commit that `desired` was read from

    def tip(self) -> str:
        """The newest commit of the log, or "" before the first event."""
        return self._git.at(LOG)

    def desired(self) -> Desired:
        """The desired state now.

        Raises:
            GearError: the repository is damaged.
        """
        self._read = self.tip()
        if not self._read:
            return Desired()  # nothing has happened yet
        text = self._git("cat-file", "blob", f"{self._read}:state.json", check=False)
        try:
            return msgspec.json.decode(text, type=Desired)
        except msgspec.DecodeError as error:
            raise GearError(
                "the history cannot be read",
                where=f"{self._git.folder} {LOG}",
                remedy=f"`git -C {self._git.folder} fsck` says what is damaged;"
                f" `git update-ref {LOG} {LOG}~1` goes back by one event",
            ) from error

    def events(self, most: int = 1000) -> list[Event]:
        """What happened, the newest first.

        Args:
            most: how many to read.
        """
        listed = self._git("log", f"--max-count={most}", "--format=%H", LOG, check=False)
        names = listed.splitlines()
        wanted = "".join(f"{name}:event.json\n" for name in names)
        answers = self._git("cat-file", "--batch=%(objectsize)", stdin=wanted) if names else ""
        found = []
        for line in answers.splitlines():
            if line.startswith("{"):
                with contextlib.suppress(msgspec.DecodeError):
                    found.append(msgspec.json.decode(line, type=Event))
        return found

    def tell(self, desired: Desired, event: Event) -> None:
        """Record an event, in words and as a value, and with it the desired state.

        Raises:
            GearError: somebody else recorded something since `desired` was read.
        """
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        kept = msgspec.structs.replace(event, at=event.at or at)
        self.append(desired, kept.title, event=kept, note=event.why, **event.trailers)

    def append(
        self,
        desired: Desired,
        what: str,
        note: str = "",
        event: Event | None = None,
        **trailers: object,
    ) -> None:
        """Record what happened and with it the desired state.

        Args:
            desired: what should run from now on.
            what: the event, one line.
            note: more about it.
            event: all of it as a value.
            trailers: facts for programs to read, such as `release=7`.

        Raises:
            GearError: somebody else recorded something since `desired` was read.
        """
        before = self.tip() if self._read is None else self._read
        state = msgspec.json.format(msgspec.json.encode(desired)).decode() + "\n"
        blob = self._git("hash-object", "-w", "--stdin", stdin=state)
        listed = f"100644 blob {blob}\tstate.json\n"
        if event is not None:
            # One line, in ASCII, so that many can be read at once.
            line = json.dumps(msgspec.to_builtins(event)) + "\n"
            listed += (
                f"100644 blob {self._git('hash-object', '-w', '--stdin', stdin=line)}\tevent.json\n"
            )
        tree = self._git("mktree", stdin=listed)
        lines = [f"{key.capitalize()}: {value}" for key, value in trailers.items()]
        message = "\n\n".join(p for p in (what, _plain(note).strip(), "\n".join(lines)) if p)
        parents = ["-p", before] if before else []
        commit = self._git("commit-tree", tree, *parents, "-F", "-", stdin=message)
        clear_abandoned(self._git.folder / f"{LOG}.lock")
        try:
            self._git("update-ref", "-m", what, LOG, commit, before or NONE)
        except CommandError as error:
            raise GearError(
                "somebody else changed this host's history at the same moment",
                remedy="run the same command again",
                code=Exit.BUSY,
            ) from error
        self._read = commit


def _plain(text: str) -> str:
    """Without the control characters of a dying program's last words, which Git refuses."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
