#!/usr/bin/env bash
# The distributed form on loopback: RabbitMQ, PostgreSQL, API and worker processes. What runs already is left alone, what has died is started again.
#   up.sh            API=1 WORKERS=1 MODELS=./models; ports by API_PORT, GRPC_PORT, WORKER_PORT, BROKER_PORT, STORE_PORT
# Settings of Millrace in the environment (MILLRACE__...) go to the processes that are started.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. deploy/local/common.sh
apis=${API:-1} workers=${WORKERS:-1}
api_port=${API_PORT:-8080} grpc_port=${GRPC_PORT:-8001} api_management_port=${API_MANAGEMENT_PORT:-$((${API_PORT:-8080} + 1100))} worker_port=${WORKER_PORT:-9080} broker_port=${BROKER_PORT:-5680} store_port=${STORE_PORT:-5440}
broker=amqp://guest:guest@127.0.0.1:$broker_port store=postgres://postgres@127.0.0.1:$store_port/postgres

get() { # get PORT PATH: the status of an HTTP answer
    local status=
    { exec 3<> "/dev/tcp/127.0.0.1/$1" && printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&3 && read -r -t 5 _ status _ <&3; exec 3>&-; } 2> /dev/null || true
    echo "$status"
}

answers() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

await() { # await NAME SECONDS COMMAND...: until it holds, as long as the process lives
    local name=$1 left=$(($2 * 5))
    shift 2
    until "$@"; do
        left=$((left - 1))
        if [ $left -lt 0 ] || ! alive "$name"; then
            echo "$name did not come up:" >&2
            tail -5 "$run/$name.log" >&2
            exit 1
        fi
        sleep 0.2
    done
}

start() { # start NAME URL COMMAND...
    local name=$1 url=$2
    shift 2
    setsid "$@" >> "$run/$name.log" 2>&1 < /dev/null &
    sleep 0.05
    remember "$name" $! "$url"
}

ready() { [ "$(get "$1" /health/ready)" = 200 ]; }

if ! alive postgres; then
    start postgres "$store" deploy/local/postgres.sh "$run/postgres" "$store_port"
    await postgres 60 answers "$store_port"
fi
if ! alive rabbitmq; then
    rm -f "$run/rabbitmq/pid"
    start rabbitmq "$broker" deploy/local/rabbitmq.sh "$run/rabbitmq" "$broker_port"
    await rabbitmq 120 test -s "$run/rabbitmq/pid"
    sleep 0.1
    remember rabbitmq "$(cat "$run/rabbitmq/pid")" "$broker" # the broker itself, not the script around it
    await rabbitmq 120 answers "$broker_port"
fi
export MILLRACE__LOGS__FORMAT=${MILLRACE__LOGS__FORMAT:-text} # for people who follow them with make logs
export MILLRACE__BROKER__URL=$broker MILLRACE__STORE__URL=$store MILLRACE__MODELS__PATH=${MODELS:-./models}
for at in $(seq "$apis"); do
    url=http://127.0.0.1:$((api_port + at - 1))
    alive "api-$at" || MILLRACE__HTTP__URL=$url MILLRACE__GRPC__URL=http://127.0.0.1:$((grpc_port + at - 1)) MILLRACE__MANAGEMENT__URL=http://127.0.0.1:$((api_management_port + at)) start "api-$at" "$url" artifacts/bin/Api/release/Millrace.Api
done
for at in $(seq "$workers"); do
    url=http://127.0.0.1:$((worker_port + at))
    alive "worker-$at" || MILLRACE__MANAGEMENT__URL=$url start "worker-$at" "$url" artifacts/bin/Worker/release/Millrace.Worker
done
more=()
for name in $(names api-); do [ "${name#api-}" -le "$apis" ] || more+=("$name"); done
for name in $(names worker-); do [ "${name#worker-}" -le "$workers" ] || more+=("$name"); done
[ "${#more[@]}" -eq 0 ] || stop TERM "${more[@]}"
write_list
for at in $(seq "$apis"); do await "api-$at" 60 ready $((api_management_port + at)); done
for at in $(seq "$workers"); do await "worker-$at" 60 ready $((worker_port + at)); done
for name in $(names postgres) $(names rabbitmq) $(names api-) $(names worker-); do
    read -r pid _ url < "$run/processes/$name"
    printf '%-10s pid %-7s %s\n' "$name" "$pid" "$url"
done
