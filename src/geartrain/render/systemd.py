"""systemd's units of a prepared server.

Source: systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.timer(5), sd_notify(3).

`geartrain.service` brings about at boot what the history says, and stops all in order before
Docker stops. It wants Docker and does not require it: a unit that requires Docker is stopped along
with it, and nothing starts it again when Docker is back.

`geartrain-watch.service` restarts what hangs and starts the apps' jobs. Jobs have no timers of
their own (`geartrain-job@.timer`, say): which there are changes with each release, and whoever
releases may write no unit. One process that reads what is live needs no such right.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from msgspec import Struct

from geartrain.render.files import File, Tree

BOOT = "geartrain.service"
PRUNE = "geartrain-prune.service"
PRUNE_TIMER = "geartrain-prune.timer"
WATCH = "geartrain-watch.service"
RENEW = "geartrain-renew.service"
RENEW_TIMER = "geartrain-renew.timer"
ENABLED = (BOOT, WATCH, PRUNE_TIMER, RENEW_TIMER)

# Everything that a unit of Geartrain does is: talk to Docker and to its instances, run Git and
# Compose, and write in the host's folder. What that does not need is taken away.
#
# The runtime directory is where secrets lie that instances are given as files
# (`engine/memory.py`); it stays when a unit ends, for what runs has them mounted.
#
# Left open, with the reason:
# - IPAddressDeny: an instance has any address of the host's pool, and an image that is gone is
#   fetched or built again from a registry or an index.
# - ProtectProc: whether nginx's old workers, which are others' processes, have ended is seen there.
# - PrivateUsers: access to Docker's socket is by the group `docker`, which would be nobody there.
# - RootDirectory: the programs are the machine's own.
# - UMask 0022: containers read checkouts and the edge's configuration as other users; files with
#   secrets are written with their own mode.
_HARDENING = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ReadWritePaths={host}
RuntimeDirectory=geartrain
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask=0022
"""

_BOOT = """\
# Written by `gear server prepare`; `systemctl edit {name}` changes it for good.
[Unit]
Description=Geartrain: the apps of this machine
Wants=network-online.target docker.service
After=network-online.target docker.service
StartLimitIntervalSec=0

[Service]
Type=oneshot
RemainAfterExit=yes
User={user}
Environment=GEAR_HOST={host} GEAR_USER=systemd
ExecStart={gear} converge --all
ExecStop={gear} host stop
Restart=on-failure
RestartSec=10
TimeoutStartSec=30min
TimeoutStopSec=5min
{hardening}
[Install]
WantedBy=multi-user.target
"""

# What it started ends by itself, also when it is restarted: a job that runs, an instance that is
# brought back. So only the process itself is ended.
_WATCH = """\
# Written by `gear server prepare`; `systemctl edit {watch}` changes it for good.
[Unit]
Description=Geartrain: restarts what hangs, and starts jobs
Wants=docker.service
After=network-online.target docker.service {name}
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
User={user}
WorkingDirectory={gear.parent}
Environment=GEAR_HOST={host} GEAR_USER=systemd MALLOC_ARENA_MAX=2
ExecStart={gear} host watch
Restart=always
RestartSec=2
WatchdogSec=2min
KillMode=process
{hardening}
[Install]
WantedBy=multi-user.target
"""

_RENEW = """\
# Written by `gear server prepare`.
[Unit]
Description=Geartrain: renew certificates
Wants=network-online.target
After=network-online.target docker.service

[Service]
Type=oneshot
User={user}
Environment=GEAR_HOST={host} GEAR_USER=systemd
ExecStart={gear} tls renew --if-on
TimeoutStartSec=30min
{hardening}"""

# Often, for a domain that leads here at last: when nothing is due, nobody is asked. Not all hosts
# ask in the same minute.
_RENEW_TIMER = """\
# Written by `gear server prepare`.
[Unit]
Description=Geartrain: renew certificates that are due

[Timer]
OnCalendar=*:0/15
RandomizedDelaySec=15min
FixedRandomDelay=yes

[Install]
WantedBy=timers.target
"""

_PRUNE = """\
# Written by `gear server prepare`.
[Unit]
Description=Geartrain: remove images of old releases
After=docker.service

[Service]
Type=oneshot
User={user}
Environment=GEAR_HOST={host}
ExecStart={gear} images prune
Nice=10
IOSchedulingClass=idle
TimeoutStartSec=30min
{hardening}"""

_PRUNE_TIMER = """\
# Written by `gear server prepare`.
[Unit]
Description=Geartrain: remove images of old releases every night

[Timer]
OnCalendar=*-*-* 03:30:00
RandomizedDelaySec=1h
Persistent=yes

[Install]
WantedBy=timers.target
"""


class Place(Struct, frozen=True, kw_only=True):
    """Where what is on a server. None of it has a space, a `%` or a `$` in it."""

    gear: PurePosixPath
    host: PurePosixPath
    user: str


def units(place: Place) -> Tree:
    """The unit files, by name.

    Args:
        place: where Geartrain and its host are.
    """
    said = {
        "gear": place.gear,
        "host": place.host,
        "user": place.user,
        "name": BOOT,
        "watch": WATCH,
    }
    said["hardening"] = _HARDENING.format(host=place.host)
    texts = {
        BOOT: _BOOT,
        WATCH: _WATCH,
        PRUNE: _PRUNE,
        PRUNE_TIMER: _PRUNE_TIMER,
        RENEW: _RENEW,
        RENEW_TIMER: _RENEW_TIMER,
    }
    return {name: File(0o644, text.format(**said)) for name, text in texts.items()}
