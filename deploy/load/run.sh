#!/usr/bin/env bash
# Many clients at once, and how long their answers take. With hey, which is installed where it is missing (Debian).
#   run.sh                                   200 clients on one worker, two, and a pool that scales, on servers of its own; writes the table of docs/load.md
#   run.sh URL BODY [CLIENTS] [SECONDS]      the same clients on a Millrace that runs already, as http://127.0.0.1:8080/v2/models/digits/infer; BODY is a file
# Loopback addresses only: whoever loads another machine should have to mean it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [ $# -gt 0 ]; then
    url=$1 body=${2:?BODY is missing: a file with the request} clients=${3:-200} seconds=${4:-30}
    if ! [[ $url =~ ^http://(127(\.[0-9]{1,3}){3}|localhost|\[::1\])(:[0-9]{1,5})?(/[^@[:space:]]*)?$ ]]; then
        echo "Not a loopback address: $url" >&2
        exit 2
    fi
    [ -r "$body" ] || { echo "There is no file $body" >&2; exit 2; }
fi

if ! command -v hey > /dev/null; then
    command -v apt-get > /dev/null || { echo "Please install hey" >&2; exit 1; }
    sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get install -y -qq --no-install-recommends hey > /dev/null
fi

if [ $# -gt 0 ]; then
    export no_proxy='*'
    exec hey -c "$clients" -z "${seconds}s" -m POST -T application/json -D "$body" -disable-compression "$url"
fi
exec artifacts/bin/Rehearsal/release/Millrace.Rehearsal load
