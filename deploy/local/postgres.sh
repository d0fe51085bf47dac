#!/usr/bin/env bash
# Runs PostgreSQL in the foreground on loopback, from the installed package, with its data in DIR/data (made when missing).
#   postgres.sh DIR PORT [further arguments of postgres, for example -c fsync=off]
# User postgres, no password: it listens on 127.0.0.1 only.
set -euo pipefail
dir=$1 port=$2
shift 2
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1 || true)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb || true)")
[ -x "$bin/initdb" ] || { echo "PostgreSQL is not installed: make deps" >&2; exit 1; }
mkdir -p "$dir"
as=()
if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root
    chmod 711 "$dir"
    as=(setpriv --reuid=postgres --regid=postgres --init-groups --)
    install -d -o postgres -g postgres -m 700 "$dir/data"
else
    install -d -m 700 "$dir/data"
fi
if [ ! -f "$dir/data/PG_VERSION" ]; then
    (cd / && "${as[@]}" "$bin/initdb" --pgdata "$dir/data" --username postgres --auth trust --encoding UTF8 --locale C > /dev/null)
fi
if [ -f "$dir/data/postmaster.pid" ] && grep -q '^State:.Z' "/proc/$(head -1 "$dir/data/postmaster.pid")/status" 2> /dev/null; then
    rm "$dir/data/postmaster.pid" # killed, and not yet reaped: PostgreSQL would take it for running
fi
cd /
exec "${as[@]}" "$bin/postgres" -D "$dir/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 "$@"
