#!/bin/sh
# Templates become configuration: variables that are set are filled in, nginx's own stay.
set -eu

from=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
to=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
filter=${NGINX_ENVSUBST_FILTER:-}

[ -d "$from" ] || exit 0
if [ ! -w "$to" ]; then
    echo "$0: $to cannot be written: templates are not filled in" >&2
    exit 0
fi
# shellcheck disable=SC2016  # envsubst takes a list of names in this form
known=$(awk -v filter="$filter" \
    'BEGIN { for (name in ENVIRON) if (name ~ filter) printf "${%s} ", name }')
find "$from" -follow -type f -name "*$suffix" | while IFS= read -r template; do
    path=${template#"$from"/}
    target=$to/${path%"$suffix"}
    mkdir -p "$(dirname "$target")"
    envsubst "$known" <"$template" >"$target"
done
