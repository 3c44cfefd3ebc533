#!/bin/sh
# make_environment.sh FOLDER LOCK: finds a Python that is new enough and hands over to it.
set -eu

new_enough='import sys; sys.exit(sys.version_info < (3, 11))'
for python in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$python" >/dev/null && "$python" -c "$new_enough" 2>/dev/null; then
        exec "$python" -I "${0%/*}/make_environment.py" "$@"
    fi
done

{
    if command -v python3 >/dev/null; then
        echo "gear: $(command -v python3) is $(python3 --version 2>&1); Python 3.11 or newer is needed"
    else
        echo "gear: there is no python3 on this machine; Python 3.11 or newer is needed"
    fi
    echo "  → on Debian 12, Ubuntu 24.04 or newer: sudo apt-get install python3 python3-venv"
} >&2
exit 4
