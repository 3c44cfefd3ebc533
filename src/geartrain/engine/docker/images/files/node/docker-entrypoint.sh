#!/bin/sh
# Entry point of Geartrain's stand-in for the node image: `node` may be left out before its options
# or a script, so what is no program goes to it.
set -eu

if [ "${1-}" != "${1#-}" ] || ! command -v "${1-node}" >/dev/null 2>&1; then
    set -- node "$@"
elif [ -f "${1-}" ] && [ ! -x "${1-}" ]; then
    set -- node "$@"
fi

exec "$@"
