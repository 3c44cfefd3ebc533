#!/bin/sh
# Entry point of Geartrain's stand-in for the redis and valkey images: `redis-server` may be left
# out before options or a configuration file, and the server runs as its own user in /data.
set -eu

name=redis
command -v valkey-server >/dev/null && name=valkey

case ${1-} in
-* | *.conf) set -- "$name-server" "$@" ;;
redis-server) [ "$name" = redis ] || { shift; set -- valkey-server "$@"; } ;;
esac

if [ "${1-}" = "$name-server" ]; then
    if [ "$(id -u)" = 0 ]; then
        find . \! -user "$name" -exec chown "$name:$name" '{}' +
        exec gosu "$name" "$0" "$@"
    fi
    # New files are nobody else's business, unless whoever runs this said otherwise.
    [ "$(umask)" != 0022 ] || umask 0077
    shift
    # In its own network namespace the server is not protected by listening on loopback only.
    case ${1-} in
    -v | --version | -h | --help | --test-memory | --check-system) ;;
    '' | -*) set -- --protected-mode no "$@" ;;
    *)
        file=$1
        shift
        if [ ! -r "$file" ] || ! grep -qiE '^[[:space:]]*protected-mode[[:space:]]' "$file"; then
            set -- --protected-mode no "$@"
        fi
        set -- "$file" "$@"
        ;;
    esac
    set -- "$name-server" "$@"
fi

exec "$@"
