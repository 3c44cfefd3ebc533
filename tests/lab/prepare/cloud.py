"""cloud-init on a machine, fed as a provider does: by files that are there before it boots."""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.cli.running import until
from tests.lab.prepare.bare import Bare

SEED = "/var/lib/cloud/seed/nocloud"  # its data source NoCloud
INSTALL = "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install cloud-init"
# As in images for clouds, which have languages; this machine has none. Its network is Docker's.
SETTINGS = (
    "printf 'locale: C.UTF-8\\nnetwork: {config: disabled}\\n' > /etc/cloud/cloud.cfg.d/90_here.cfg"
)


def boot_with(machine: Bare, folder: Path, url: str) -> None:
    """Export user data, and boot a machine with it for the first time.

    Args:
        machine: the machine.
        folder: where machines get files.
        url: its address.
    """
    machine.sh(f"{INSTALL} --no-install-recommends && {SETTINGS} && mkdir -p {SEED}")
    machine.laptop.local("server", "export", "cloud-init", folder, "--archive", url)
    seeds = {
        "user-data": (folder / "user-data").read_text(),
        "meta-data": "instance-id: one\nlocal-hostname: shop\n",
    }
    for name, text in seeds.items():
        machine.sh(f"cat > {shlex.quote(f'{SEED}/{name}')}", stdin=text)
    machine.server.shut_down()
    machine.server.boot()
    machine.laptop.know(machine.server)
    until(lambda: _has_ended(machine), "cloud-init has ended", 600)


def _has_ended(machine: Bare) -> bool:
    (machine.laptop.folder / "known").unlink(missing_ok=True)  # it makes sshd's keys anew
    # One connection that waits, as each costs the machine more than what it waits for.
    ended = "until test -e /var/lib/cloud/instance/boot-finished; do sleep 0.2; done"
    return machine.laptop.root(f"timeout 500 sh -c '{ended}'", code=None).code == 0
