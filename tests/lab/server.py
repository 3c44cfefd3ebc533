"""A whole server in a container: systemd is its first process, and Docker runs inside.

Nothing is installed but what a provider's image has: sshd and Python, and on Ubuntu what its
servers have besides that minds what packages and programs do.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from geartrain.engine.docker.images.suites import SUITES
from tests.dockerd import DOCKER, docker
from tests.lab import debian
from tests.machine.docker import NETWORK_SETTINGS

PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "iproute2"),
    *("python3", "ca-certificates", "procps"),
)
UBUNTUS = ("apt", "apparmor", "needrestart", "sudo", "ufw", "unattended-upgrades")
# All that a machine's root may do which a container's may be given.
CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"),
    *("SETPCAP", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK"),
    *("IPC_OWNER", "SYS_CHROOT", "SYS_PTRACE", "SYS_ADMIN", "SYS_NICE", "SYS_TTY_CONFIG", "MKNOD"),
    *("LEASE", "AUDIT_WRITE", "SETFCAP", "MAC_OVERRIDE", "SYSLOG", "SYS_BOOT"),
)
ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"


def image(folder: Path, suite: str = "bookworm") -> str:
    """The machine's image.

    Args:
        folder: room for a while.
        suite: Debian's release, or Ubuntu's.
    """
    packages = (*PACKAGES, *UBUNTUS) if SUITES[suite].ubuntu else PACKAGES
    return debian.image("geartrain-server", packages, (), folder, suite)


class Server:
    """A running machine.

    Args:
        image: what `image` gave.
        key: the public half of a key of root's.
        hosts: further names for its /etc/hosts, with addresses.
    """

    def __init__(self, image: str, key: Path, hosts: Mapping[str, str] | None = None) -> None:
        self.id = docker(
            "create", "--cgroupns=host", "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
            # From Docker 29 on images lie in containerd's folder.
            "--volume=/var/lib/docker", "--volume=/var/lib/containerd", "--tmpfs=/run",
            "--tmpfs=/tmp", "--env=container=docker", "--stop-signal=SIGRTMIN+3",
            *(f"--security-opt={what}=unconfined" for what in ("seccomp", "apparmor",
                                                               "systempaths")),
            *(f"--cap-add={one}" for one in CAPABILITIES),
            *(f"--add-host={name}:{address}" for name, address in (hosts or {}).items()),
            image, "/lib/systemd/systemd",
        )  # fmt: skip
        try:
            self._put("/root/.ssh/authorized_keys", key.read_text())
            self._put("/etc/environment", _settings())
            self.boot()
        except BaseException:
            self.remove()
            raise

    def _put(self, path: str, text: str) -> None:
        """A file of root's, before the first boot."""
        import io
        import tarfile

        data = text.encode()
        with io.BytesIO() as packed:
            with tarfile.open(fileobj=packed, mode="w") as archive:
                folder = tarfile.TarInfo(path.rpartition("/")[0].lstrip("/"))
                folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(folder)
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.size, entry.mode = len(data), 0o644
                archive.addfile(entry, io.BytesIO(data))
            subprocess.run(
                [DOCKER, "cp", "-", f"{self.id}:/"], input=packed.getvalue(), check=True, timeout=60
            )

    @property
    def address(self) -> str:
        """Where it is; another one after a boot, perhaps."""
        return docker("inspect", f"--format={ADDRESS}", self.id)

    def boot(self) -> None:
        """Switch it on, and wait for sshd alone."""
        docker("start", self.id)

    def is_up(self) -> str:
        """What systemd says once it has started everything: `running`, or `degraded`."""
        words = [DOCKER, "exec", self.id, "systemctl", "is-system-running", "--wait"]
        end = time.monotonic() + 120
        while True:
            done = subprocess.run(words, capture_output=True, text=True, timeout=180, check=False)
            if said := done.stdout.strip():
                return said
            assert time.monotonic() < end, done.stderr  # systemd does not answer yet
            time.sleep(0.05)

    def shut_down(self) -> None:
        """Switch it off, with the time that units are given to stop. `boot` switches it on."""
        docker("stop", "--time=330", self.id, timeout=400)

    def cut_power(self) -> None:
        """Every process is gone at once. `boot` switches it on again."""
        docker("kill", self.id)

    def load(self, images: Iterable[str]) -> None:
        """Give its Docker images that this machine's has, as a registry would."""
        with subprocess.Popen([DOCKER, "save", *images], stdout=subprocess.PIPE) as saved:
            done = subprocess.run(
                [DOCKER, "exec", "--interactive", self.id, "docker", "load"],
                stdin=saved.stdout, capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
        assert (saved.returncode, done.returncode) == (0, 0), done.stderr

    def remove(self) -> None:
        """End it, with all that its Docker kept."""
        docker("rm", "--force", "--volumes", self.id)


def _settings() -> str:
    """How this machine reaches its package index, for everybody who logs in (pam_env(8))."""
    return "".join(f'{name}="{os.environ[name]}"\n' for name in NETWORK_SETTINGS
                   if name in os.environ)  # fmt: skip
