#!/bin/sh
# Entry point of Geartrain's stand-in for the nginx image: before nginx starts, the steps in
# /docker-entrypoint.d are taken in order, *.envsh in this shell and *.sh in their own.
set -eu

say() { [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS-}" ] || echo "$0: $*"; }

case ${1-} in
nginx | nginx-debug)
    steps=$(find /docker-entrypoint.d/ -follow -type f | sort -V)
    for step in $steps; do
        case $step in
        *.envsh | *.sh)
            if [ ! -x "$step" ]; then
                say "$step is not executable: ignored"
            elif [ "${step%.envsh}" != "$step" ]; then
                say "reading $step"
                # shellcheck disable=SC1090  # the author's own file
                . "$step"
            else
                say "running $step"
                "$step"
            fi
            ;;
        *) say "$step is neither .sh nor .envsh: ignored" ;;
        esac
    done
    ;;
esac

exec "$@"
