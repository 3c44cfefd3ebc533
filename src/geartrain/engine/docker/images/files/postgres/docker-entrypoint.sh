#!/usr/bin/env bash
# Entry point of Geartrain's stand-in for the postgres image. It understands the variables that
# hub.docker.com/_/postgres documents: POSTGRES_{USER,PASSWORD,DB,INITDB_ARGS}(_FILE),
# POSTGRES_INITDB_WALDIR, POSTGRES_HOST_AUTH_METHOD, PGDATA; and /docker-entrypoint-initdb.d.
set -Eeuo pipefail

# There while a new database is set up, so that one that is half set up never serves.
UNFINISHED=set-up-not-finished

say() { printf '%s postgres: %s\n' "$(date -u '+%Y-%m-%d %H:%M:%S UTC')" "$*" >&2; }
refuse() { say "$@"; exit 1; }

# NAME_FILE holds the value of NAME, as secrets are given.
from_file() {
    local name=$1 file=${1}_FILE fallback=${2-}
    if [[ -n ${!name-} && -n ${!file-} ]]; then
        refuse "set $name or $file, not both"
    elif [[ -n ${!file-} ]]; then
        [[ -r ${!file} ]] || refuse "$file: ${!file} cannot be read"
        printf -v "$name" '%s' "$(<"${!file}")"
    elif [[ -z ${!name-} ]]; then
        printf -v "$name" '%s' "$fallback"
    fi
    export "${name?}"
    unset "$file"
}

make_folders() {
    mkdir -p "$PGDATA"
    chmod 00700 "$PGDATA" 2>/dev/null || true
    mkdir -p /var/run/postgresql 2>/dev/null || true
    if [[ -n ${POSTGRES_INITDB_WALDIR-} ]]; then
        mkdir -p "$POSTGRES_INITDB_WALDIR"
        chmod 700 "$POSTGRES_INITDB_WALDIR"
    fi
    if ((EUID == 0)); then
        find "$PGDATA" /var/run/postgresql ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"} \
            \! -user postgres -exec chown postgres:postgres '{}' +
    fi
}

# initdb asks for the name of its user, which an arbitrary `user:` of a container has not.
with_name() {
    if getent passwd "$EUID" >/dev/null; then
        "$@"
        return
    fi
    local users groups library
    users=$(mktemp) groups=$(mktemp)
    library=$(find /usr/lib -name libnss_wrapper.so -print -quit)
    echo "postgres:x:$EUID:$(id -g):PostgreSQL:$PGDATA:/bin/false" >"$users"
    echo "postgres:x:$(id -g):" >"$groups"
    LD_PRELOAD=$library NSS_WRAPPER_PASSWD=$users NSS_WRAPPER_GROUP=$groups "$@"
    rm -f "$users" "$groups"
}

make_cluster() {
    local words=(--username="$POSTGRES_USER")
    [[ -z ${POSTGRES_INITDB_WALDIR-} ]] || words+=(--waldir="$POSTGRES_INITDB_WALDIR")
    # The password goes through a pipe: the list of processes does not show it.
    # POSTGRES_INITDB_ARGS is a line of arguments, read as a shell reads it.
    eval "with_name initdb \"\${words[@]}\" --pwfile=<(printf '%s\n' \"\$POSTGRES_PASSWORD\")" \
        "$POSTGRES_INITDB_ARGS"
    local method=${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption)}
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

# Reaches the server by its socket only: nobody else can connect before all is set up.
temporary_server() {
    PGUSER=${PGUSER:-$POSTGRES_USER} pg_ctl -D "$PGDATA" -w "$@" >/dev/null
}

docker_process_sql() {
    local database=()
    [[ -z ${POSTGRES_DB-} ]] || database=(--dbname "$POSTGRES_DB")
    PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc \
        --username "$POSTGRES_USER" "${database[@]}" "$@"
}

make_database() {
    [[ $POSTGRES_DB != postgres ]] || return 0
    POSTGRES_DB='' docker_process_sql --dbname postgres --set name="$POSTGRES_DB" \
        <<<'CREATE DATABASE :"name";'
}

run_init_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        [[ -e $file ]] || continue
        case $file in
        *.sh)
            say "init: $file"
            if [[ -x $file ]]; then
                "$file"
            else
                # shellcheck disable=SC1090  # the author's own file
                . "$file"
            fi
            ;;
        *.sql) say "init: $file"; docker_process_sql -f "$file" ;;
        *.sql.gz) say "init: $file"; gunzip -c "$file" | docker_process_sql ;;
        *.sql.xz) say "init: $file"; xzcat "$file" | docker_process_sql ;;
        *.sql.zst) say "init: $file"; zstd -dc "$file" | docker_process_sql ;;
        *) say "init: $file is not .sql, .sql.gz, .sql.xz, .sql.zst or .sh: ignored" ;;
        esac
    done
}

check_settings() {
    if [[ -z $POSTGRES_PASSWORD && ${POSTGRES_HOST_AUTH_METHOD-} != trust ]]; then
        refuse "POSTGRES_PASSWORD is not set, and a new database needs one;" \
            "POSTGRES_HOST_AUTH_METHOD=trust lets anybody in without"
    fi
    if [[ ${POSTGRES_HOST_AUTH_METHOD-} == trust ]]; then
        say "POSTGRES_HOST_AUTH_METHOD=trust: anybody who reaches the port is let in"
    fi
}

wants_help() {
    local word
    for word; do
        case $word in -'?' | --help | --describe-config | -V | --version | -C) return 0 ;; esac
    done
    return 1
}

main() {
    [[ ${1-} != -* ]] || set -- postgres "$@"
    if [[ ${1-} == postgres ]] && ! wants_help "${@:2}"; then
        make_folders
        if ((EUID == 0)); then
            exec gosu postgres "${BASH_SOURCE[0]}" "$@"
        fi
        from_file POSTGRES_PASSWORD
        from_file POSTGRES_USER postgres
        from_file POSTGRES_DB "$POSTGRES_USER"
        from_file POSTGRES_INITDB_ARGS
        if [[ -e $PGDATA/$UNFINISHED ]]; then
            say "an earlier set-up did not finish and nothing was stored: starting over"
            find "$PGDATA" -mindepth 1 -delete
        fi
        if [[ -s $PGDATA/PG_VERSION ]]; then
            say "the data folder is there already; nothing to set up"
        else
            check_settings
            # Before anything is made: a database that is half set up counts as set up next time.
            ls /docker-entrypoint-initdb.d/ >/dev/null 2>&1 ||
                refuse "/docker-entrypoint-initdb.d cannot be read by user $(id -u)"
            make_cluster
            touch "$PGDATA/$UNFINISHED"
            export PGPASSWORD=$POSTGRES_PASSWORD
            temporary_server -o "-c listen_addresses='' -p ${PGPORT:-5432}" start
            make_database
            run_init_files
            temporary_server -m fast stop
            unset PGPASSWORD
            rm "$PGDATA/$UNFINISHED"
            say "set up; starting"
        fi
    fi
    exec "$@"
}

main "$@"
