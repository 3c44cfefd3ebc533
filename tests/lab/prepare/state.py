"""What preparing leaves on a machine, to be compared: however it came about, it is the same."""

from __future__ import annotations

from tests.lab.prepare.bare import Bare

QUESTIONS = {
    "links": "readlink /opt/geartrain/current /usr/local/bin/gear",
    "versions": "ls -A /opt/geartrain /opt/geartrain/versions",
    "program": "cd /opt/geartrain/current/ && find . -path ./.venv -prune -o -type f"
    " ! -name '*.pyc' -printf '%p %m %u:%g ' -exec sha256sum {} ';' | sort",
    "environment": "ls /opt/geartrain/current/.venv/lib/python3*/site-packages",
    "lock": "cmp /opt/geartrain/current/requirements/runtime.txt"
    " /opt/geartrain/current/.venv/geartrain.lock && echo same",
    "files": "stat -c '%n %a %U:%G %F' /opt/geartrain /opt/geartrain/versions /etc/docker"
    " /etc/docker/* /etc/systemd/journald.conf.d /etc/systemd/journald.conf.d/*"
    " /etc/systemd/system/geartrain*",
    "texts": "tail -n +1 /etc/docker/daemon.json /etc/systemd/journald.conf.d/*"
    " /etc/systemd/system/geartrain*",
    "leftovers": "find /etc /opt /usr/local -name '.*.new'",
    "host": "find /var/lib/geartrain -printf '%P %m %u:%g\n' | sort",
    "user": "getent passwd gear | sed 's/[0-9][0-9]*/N/g'; id -nG gear;"
    " getent shadow gear | cut -d: -f2",
    "packages": "dpkg-query -W -f '${Package} ${Status}\n' git iptables python3-venv docker.io"
    " ca-certificates; dpkg --audit",
    "docker": "docker info --format '{{.LiveRestoreEnabled}}'; systemctl is-enabled docker",
    "units": "cd /etc/systemd/system && systemctl is-enabled geartrain*; systemctl is-active"
    " geartrain.service geartrain-watch.service geartrain-prune.timer geartrain-renew.timer;"
    " systemctl show -p NeedDaemonReload geartrain*",
    "failed": "systemctl --failed --plain --no-legend",
}


def state(machine: Bare) -> dict[str, str]:
    """The answers, by what they are about."""
    return {about: machine.sh(asked, code=None) for about, asked in QUESTIONS.items()}
