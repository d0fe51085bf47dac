#!/usr/bin/env bash
# Builds and starts Millrace in one process, loads it and its peer in turns, and stops it again.
#   bench/run.sh [--distributed] [options of bench.py, for example --only sync-mlp-c64 --table FILE.md]
#   bench/run.sh --engine [seconds of each measurement, 5] [scenarios that begin so]
# --distributed: an API, a worker, RabbitMQ and PostgreSQL instead, as make up starts them.
# --engine: the engine alone, beside ONNX Runtime called directly. Without options it comes last.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
url=http://127.0.0.1:7300
start_seconds=60

dotnet build -c Release "$root/src/Standalone" --nologo --verbosity quiet

engine() {
    dotnet build -c Release "$root/bench/Engine" --nologo --verbosity quiet
    "$root/artifacts/bin/Engine/release/Millrace.Engine" "$@"
}
if [[ ${1:-} == --engine ]]; then
    shift
    engine "$@"
    exit
fi

# Accepted jobs are written through to disk, so the store must be on one.
mkdir -p "$root/artifacts/bench"
if [[ $(stat --file-system --format=%T "$root/artifacts/bench") == tmpfs ]]; then
    echo "artifacts/ is on a tmpfs: figures of accepted jobs would flatter" >&2
    exit 1
fi
if [[ ${1:-} == --distributed ]]; then
    shift
    export RUN_DIR=$root/artifacts/bench/run API=1 WORKERS=1 API_PORT=7300 WORKER_PORT=7310 BROKER_PORT=7320 STORE_PORT=7330 MODELS=$root/bench/models
    export LOGGING__LOGLEVEL__DEFAULT=Warning
    rm -rf "$RUN_DIR"
    trap '"$root/deploy/local/down.sh"; rm -rf "$RUN_DIR"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    "$root/deploy/local/up.sh"
    pids=$(sed -nE 's/.*"name": "([^"]+)", "pid": ([0-9]+).*/\1=\2/p' "$RUN_DIR/processes.json" | paste -sd, -)
    python3 "$root/bench/bench.py" --millrace "$url" --pids "$pids" "$@"
    exit
fi
store=$(mktemp -d "$root/artifacts/bench/store.XXXXXX")
log=$root/artifacts/bench/millrace.log
pid=

stop() {
    if [[ -n $pid ]]; then
        kill -TERM "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    fi
    rm -rf "$store"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

MILLRACE__HTTP__URL=$url MILLRACE__GRPC__URL= MILLRACE__STORE__PATH=$store MILLRACE__MODELS__PATH=$root/bench/models \
    "$root/artifacts/bin/Standalone/release/Millrace.Standalone" >"$log" 2>&1 &
pid=$!

for ((waited = 0; ; waited++)); do
    if ! kill -0 "$pid" 2>/dev/null; then # asked first: whatever else answers at this address is not what we built
        echo "Millrace ended at its start:" >&2
        tail -n 20 "$log" >&2
        exit 1
    fi
    curl --silent --fail --noproxy '*' --output /dev/null "$url/v2/health/ready" && break
    if ((waited >= start_seconds * 5)); then
        echo "Millrace was not ready in $start_seconds s:" >&2
        tail -n 20 "$log" >&2
        exit 1
    fi
    sleep 0.2
done

python3 "$root/bench/bench.py" --millrace "$url" --pids "$pid" "$@"
if (($# == 0)); then
    stop
    pid=
    engine
fi
