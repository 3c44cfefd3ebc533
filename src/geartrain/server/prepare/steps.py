"""The steps that make a server of a machine.

Each looks for itself whether it is done, and changes nothing by looking; so whatever was
interrupted, wherever, is gone on with by doing the same again.
"""

from __future__ import annotations

import tempfile
import time
from json import JSONDecoder
from pathlib import Path
from typing import Protocol

from geartrain.errors import GearError
from geartrain.render import systemd
from geartrain.render.nginx.claims import FORMAT
from geartrain.run import CommandError
from geartrain.server.halting import MARK
from geartrain.server.prepare import apt, contents, layout
from geartrain.server.prepare.machine import Machine
from geartrain.server.prepare.payload import Payload, fresh
from geartrain.server.prepare.system import COMMON, System

RELOAD = 20.0  # seconds in which Docker reads its settings again


class Step(Protocol):
    """One thing that a server has.

    `lacking` says what of it is not there, or "". `do` brings it about.
    """

    title: str

    def lacking(self, machine: Machine) -> str: ...  # noqa: D102  # said above
    def do(self, machine: Machine) -> None: ...  # noqa: D102  # said above


class Packages:
    """The distribution's packages; Docker's own are as good as its Docker.

    Args:
        system: what the machine runs.
    """

    title = "packages"

    def __init__(self, system: System) -> None:
        self._system = system

    def _missing(self, machine: Machine) -> list[str]:
        wanted = [*COMMON, *self._system.python]
        docker = ("test", "-x", contents.DOCKERS[0], "-a", "-x", contents.DOCKERS[1])
        if machine.run(*docker, check=False).code != 0:
            wanted += self._system.docker
        form = "${Package} ${Status}\n"
        known = machine.run("dpkg-query", "-W", f"-f={form}", "--", *wanted, check=False).out
        there = {line.split()[0] for line in known.splitlines() if line.endswith(" ok installed")}
        return [name for name in wanted if name not in there]

    def lacking(self, machine: Machine) -> str:
        """Which packages are not installed."""
        missing = self._missing(machine)
        if missing:
            return f"install {', '.join(missing)}"
        return "finish what dpkg was interrupted in" if machine.says("dpkg", "--audit") else ""

    def do(self, machine: Machine) -> None:
        """Install them, after what was interrupted."""
        apt.finish(machine)
        if missing := self._missing(machine):
            apt.install(machine, missing)


class DockerRuns:
    """Docker's daemon: runs, starts at boot, and leaves containers running when it is restarted."""

    title = "Docker"

    def lacking(self, machine: Machine) -> str:
        """What it does not do."""
        wrong = []
        if machine.read(layout.DOCKER) is None:
            wrong.append("have containers outlive a restart of Docker")
        if machine.says("systemctl", "is-enabled", "docker.service") != "enabled":
            wrong.append("start it at boot")
        if not machine.says("docker", "version", "--format", "{{.Server.Version}}"):
            wrong.append("start it")
        elif self._unread(machine):
            wrong.append("have it read its settings")
        return ", ".join(wrong)

    def _unread(self, machine: Machine) -> bool:
        """Whether it runs by other settings than those that were written."""
        if machine.read(layout.DOCKER) != contents.DAEMON:
            return False
        return machine.says("docker", "info", "--format", "{{.LiveRestoreEnabled}}") == "false"

    def do(self, machine: Machine) -> None:
        """Start it, now and at boot; a configuration that is there stays as it is."""
        if machine.read(layout.DOCKER) is None:
            machine.write(layout.DOCKER, contents.DAEMON)
        machine.run("systemctl", "enable", "--now", "docker.service", timeout=180)
        machine.run("docker", "version", timeout=60)
        if self._unread(machine):
            machine.run("systemctl", "reload", "docker.service")
            deadline = time.monotonic() + RELOAD
            while self._unread(machine) and time.monotonic() < deadline:
                time.sleep(0.1)


class User:
    """The user who owns the host, and whom keys log in as."""

    title = f"user {layout.USER}"

    def lacking(self, machine: Machine) -> str:
        """What of the user is not there.

        Raises:
            GearError: the host's folder is somebody else's.
        """
        owner = machine.says("stat", "-c", "%U", layout.HOST)
        made = machine.run("test", "-e", layout.HOST / "host.json", check=False).code == 0
        if made and owner != layout.USER:
            raise GearError(
                f"there is a host of the user {owner} already",
                where=str(layout.HOST),
                remedy=f"keep it as it is, or, with its apps down: chown -R {layout.USER}:"
                f" {layout.HOST}, and run the same again",
            )
        if not machine.says("getent", "passwd", layout.USER):
            return f"make the user, who owns {layout.HOST} and may use Docker"
        wrong = []
        if contents.DOCKERS_GROUP not in machine.says("id", "-nG", layout.USER).split():
            wrong.append("let the user use Docker")
        if owner != layout.USER:
            wrong.append(f"make {layout.HOST}")
        return ", ".join(wrong)

    def do(self, machine: Machine) -> None:
        """Make the user and the folder."""
        user, home = layout.USER, layout.HOST
        if not machine.says("getent", "passwd", user):
            machine.run("useradd", "--system", "--user-group", "--no-create-home",
                        f"--password={contents.NO_PASSWORD}", f"--shell={contents.SHELL}",
                        f"--home-dir={home}", user)  # fmt: skip
        machine.run("usermod", "--append", "--groups", contents.DOCKERS_GROUP, user)
        machine.run("install", "-d", "-m", "0755", "-o", user, "-g", user, home)


class Program:
    """Geartrain in an environment of its own; the version before stays beside it.

    Args:
        payload: what is installed.
    """

    title = "Geartrain"

    def __init__(self, payload: Payload) -> None:
        self._payload = payload
        self._folder = layout.VERSIONS / payload.version
        self._lock = self._folder / contents.LOCK

    def lacking(self, machine: Machine) -> str:
        """Whether another version, or none, is used."""
        used = machine.says("readlink", layout.CURRENT)
        linked = machine.says("readlink", layout.COMMAND) == str(layout.GEAR)
        if used == str(self._folder) and linked and self._complete(machine):
            return ""
        before = f" in place of {used.rpartition('/')[2]}" if used else ""
        return f"install {self._payload.version}{before}"

    def _complete(self, machine: Machine) -> bool:
        marker = self._folder / contents.MARKER
        return machine.run("cmp", "-s", "--", self._lock, marker, check=False).code == 0

    def do(self, machine: Machine) -> None:
        """Put it there, set it up, and only then use it. One that is there is used again."""
        if machine.run("test", "-f", self._lock, check=False).code != 0:
            half = layout.VERSIONS / fresh(self._payload.version)
            machine.run("rm", "-rf", "--", half, self._folder)
            machine.run("install", "-d", "-m", "0755", half)
            with tempfile.TemporaryDirectory(prefix="gear-payload-") as place:
                archive = Path(place) / "geartrain.tar.gz"
                archive.write_bytes(self._payload.packed())
                machine.run("tar", "-xz", "--no-same-owner", "-C", half, stdin=archive,
                            timeout=600)  # fmt: skip
            machine.run("mv", "-T", "--", half, self._folder)
        if not self._complete(machine):
            machine.run(*contents.set_up(self._folder), timeout=apt.LONGEST)
        machine.run(self._folder / "gear", "--version")
        machine.run("touch", "--", self._folder)  # the order in which versions were used
        machine.run("sync")
        machine.link(layout.CURRENT, self._folder)
        machine.link(layout.COMMAND, layout.GEAR)


class Host:
    """The folder of state that runs apps."""

    title = "host"

    def lacking(self, machine: Machine) -> str:
        """Whether there is none."""
        if machine.run("test", "-f", layout.HOST / "host.json", check=False).code == 0:
            return ""
        return f"make a host in {layout.HOST}"

    def do(self, machine: Machine) -> None:
        """Make it, as its owner."""
        machine.run(*contents.MAKE_HOST)


class Limits:
    """The journal takes no more of the disk than it is given; containers' logs have limits too."""

    title = "limits"

    def lacking(self, machine: Machine) -> str:
        """Whether there is no limit."""
        there = machine.read(layout.JOURNAL) == contents.JOURNAL
        return "" if there else "limit the journal to 500 MB and 90 days"

    def do(self, machine: Machine) -> None:
        """Set it. The file has its name when the journal follows it."""
        fresh = layout.JOURNAL.with_name("geartrain_new.conf")
        machine.write(fresh, contents.JOURNAL)
        machine.run("systemctl", "restart", "systemd-journald.service")
        machine.run("mv", "-T", "--", fresh, layout.JOURNAL)


class Units:
    """systemd's units: they are there, enabled, and the apps run."""

    title = "units"

    def _stale(self, machine: Machine) -> list[str]:
        return [
            name for name, file in contents.UNITS.items()
            if machine.read(layout.UNITS / name) != file.text
        ]  # fmt: skip

    def _others(self, machine: Machine) -> list[str]:
        """Units of another version, which this one has no command for."""
        found = machine.says(*contents.FIND_UNITS).splitlines()
        return [name for name in found if name not in contents.UNITS]

    def _unread(self, machine: Machine) -> bool:
        """Whether systemd goes by what they said before."""
        words = ("show", "--property=NeedDaemonReload", "--value", "--", *contents.UNITS)
        return "yes" in machine.says("systemctl", *words).split()

    def _off(self, machine: Machine) -> list[str]:
        return [
            name for name in systemd.ENABLED
            if machine.says("systemctl", "is-enabled", name) != "enabled"
            or machine.says("systemctl", "is-active", name) != "active"
        ]  # fmt: skip

    def _old(self, machine: Machine) -> bool:
        """Whether the watcher that runs is of another version: it works in that one's folder."""
        pid = machine.says("systemctl", "show", "--property=MainPID", "--value", systemd.WATCH)
        if pid in ("", "0"):
            return False
        return machine.says("readlink", f"/proc/{pid}/cwd") != machine.says(
            "readlink", layout.CURRENT
        )

    def lacking(self, machine: Machine) -> str:
        """Which are not as they should be."""
        stale = self._stale(machine)
        off = [name for name in self._off(machine) if name not in stale]
        said = [f"write {', '.join(stale)}"] if stale else []
        if others := self._others(machine):
            said.append(f"remove {', '.join(others)}")
        elif not stale and self._unread(machine):
            said.append("have systemd read them")
        said += [f"enable {', '.join(off)}"] if off else []
        said += [f"restart {systemd.WATCH}"] if self._old(machine) else []
        return "; ".join(said)

    def do(self, machine: Machine) -> None:
        """Write and start them. One that runs already is not stopped: that would stop the apps."""
        stale = self._stale(machine)
        if systemd.WATCH in stale:  # by its new text, also if this ends before it is started
            machine.run("systemctl", "stop", systemd.WATCH, timeout=180, check=False)
        for name in stale:
            file = contents.UNITS[name]
            machine.write(layout.UNITS / name, file.text, file.mode)
        for name in self._others(machine):
            machine.run("systemctl", "disable", "--now", "--", name, timeout=apt.LONGEST)
            machine.run("rm", "-f", "--", layout.UNITS / name)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "enable", "--now", *systemd.ENABLED, timeout=apt.LONGEST)
        if self._old(machine):
            machine.run("systemctl", "restart", systemd.WATCH, timeout=180)


class OldVersions:
    """The versions that were used before stay, for the way back; those before them go.

    One that a process still runs from stays until the next time.

    Args:
        payload: what is used from now on.
    """

    title = "old versions"

    def __init__(self, payload: Payload) -> None:
        self._payload = payload

    def _old(self, machine: Machine) -> list[str]:
        words = ("-mindepth", "1", "-maxdepth", "1", "-type", "d", "-printf", "%T@ %f\n")
        found = [
            line.split(" ", 1)
            for line in machine.says("find", layout.VERSIONS, *words).splitlines()
        ]
        names = [name for _, name in sorted(found, key=lambda one: float(one[0]), reverse=True)]
        whole = [name for name in names if name[0] != "." and name != self._payload.version]
        halves = [name for name in names if name[0] == "." and name != fresh(self._payload.version)]
        if not (old := [*whole[contents.KEPT :], *halves]):
            return []
        used = machine.run(*contents.IN_USE, check=False).out.split("\n")
        return [name for name in old if str(layout.VERSIONS / name) not in used]

    def lacking(self, machine: Machine) -> str:
        """Which go."""
        old = self._old(machine)
        return f"remove {', '.join(old)}" if old else ""

    def do(self, machine: Machine) -> None:
        """Remove them."""
        for name in self._old(machine):
            machine.run("rm", "-rf", "--", layout.VERSIONS / name, timeout=600)


class Edge:
    """nginx serves the apps as this version has it."""

    title = "edge"

    def lacking(self, machine: Machine) -> str:
        """For which apps an older version wrote its configuration, in another format."""
        paths = machine.says(*contents.CLAIMS).splitlines()
        rest = machine.says("cat", "--", *paths) if paths else ""
        old = []
        while rest:
            claim, end = JSONDecoder().raw_decode(rest)
            rest = rest[end:].lstrip()
            old += [claim["app"]] if claim.get("format", 0) < FORMAT else []
        # One that was stopped on purpose is written anew when it is started again.
        if old and machine.run("test", "-e", layout.HOST / MARK, check=False).code == 0:
            return ""
        return f"write nginx's configuration anew, for {', '.join(sorted(old))}" if old else ""

    def do(self, machine: Machine) -> None:
        """Converge. An app that does not get there for another reason is no matter of this."""
        done = machine.run(*contents.CONVERGE, timeout=apt.LONGEST, check=False)
        if done.code != 0 and self.lacking(machine):
            raise CommandError(done)


def steps(system: System, payload: Payload) -> tuple[Step, ...]:
    """All steps, in their order.

    Args:
        system: what the machine runs.
        payload: the Geartrain that it gets.
    """
    return (
        *(Packages(system), DockerRuns(), User(), Program(payload)),
        *(Host(), Limits(), Units(), OldVersions(payload), Edge()),
    )
