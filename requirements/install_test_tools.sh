#!/bin/sh
# Programs that tests outside the core use, and systemd's own judgement of units: installed for root, named for anybody else.
set -eu

packages=''
command -v chromium >/dev/null || packages="$packages chromium fonts-dejavu-core"
command -v ssh >/dev/null || packages="$packages openssh-client"
command -v pebble >/dev/null || packages="$packages pebble"
command -v systemd-analyze >/dev/null || packages="$packages systemd"
command -v wrk >/dev/null || packages="$packages wrk"
command -v mmdebstrap >/dev/null || packages="$packages mmdebstrap"
if ! docker info >/dev/null 2>&1; then
    command -v dockerd >/dev/null || packages="$packages docker.io"
    command -v iptables >/dev/null || [ -x /usr/sbin/iptables ] || packages="$packages iptables"
    command -v ip >/dev/null || [ -x /usr/sbin/ip ] || packages="$packages iproute2"
fi
[ -n "$packages" ] || exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "test: installing$packages" >&2
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # a list of words
    apt-get install -qq -y --no-install-recommends $packages >/dev/null 2>&1 || {
        apt-get update -qq >/dev/null
        apt-get install -qq -y --no-install-recommends $packages >/dev/null
    }
else
    echo "test: what needs these is skipped: sudo apt-get install --no-install-recommends$packages" >&2
fi
