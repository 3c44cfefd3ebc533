#!/bin/sh
# The default server listens on IPv6 too where there is IPv6, as long as nobody has changed it.
set -eu

conf=/etc/nginx/conf.d/default.conf
[ -f /proc/net/if_inet6 ] && [ -f "$conf" ] && [ -w "$conf" ] || exit 0
grep -q '^    listen 80;$' "$conf" || exit 0
grep -q '^    server_name localhost;$' "$conf" || exit 0
grep -q 'listen.*\[::\]' "$conf" && exit 0
text=$(sed 's/^    listen 80;$/    listen 80;\n    listen [::]:80;/' "$conf")
printf '%s\n' "$text" >"$conf" 2>/dev/null || true
