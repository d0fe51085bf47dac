#!/usr/bin/env bash
# Walks through what admission does, on a `make up API=2 WORKERS=2` of its own, and prints each answer; ends with 1 at the first that is wrong.
#   admission.sh     takes about two minutes; KEEP=1 leaves the processes
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export RUN_DIR=${RUN_DIR:-.run/admission} API_PORT=${API_PORT:-8180} GRPC_PORT=${GRPC_PORT:-8101} WORKER_PORT=${WORKER_PORT:-9180} BROKER_PORT=${BROKER_PORT:-5780} STORE_PORT=${STORE_PORT:-5540}
export API=2 WORKERS=2 MODELS=tests/models MILLRACE__MODELS__NAMES=sleep,ident_fp32 MILLRACE__RATELIMIT__TENANTREQUESTS=0
. deploy/local/common.sh
one=http://127.0.0.1:$API_PORT two=http://127.0.0.1:$((API_PORT + 1))
answer=$(mktemp) fields=$(mktemp)
finish() {
    rm -f "$answer" "$fields"
    [ "${KEEP:-}" = 1 ] || deploy/local/down.sh > /dev/null
}
trap finish EXIT

ask() { # ask KEY METHOD URL [BODY]: sets status, and fills the files
    local key=$1 method=$2 url=$3
    status=$(curl -s -m 60 -o "$answer" -D "$fields" -w '%{http_code}' -X "$method" ${key:+-H "Authorization: Bearer $key"} ${4:+-d "$4"} "$url")
}

show() { # show TEXT: the answer in a line
    printf '%-66s %s %s\n' "$1" "$status" "$(head -c 150 "$answer" | tr -d '\n')"
    grep -iE '^(ratelimit|retry-after|www-authenticate)' "$fields" | tr -d '\r' | sed 's/^/        /' || true
}

must() { # must TEXT STATUS [PATTERN]: what was answered must be this
    show "$1"
    if [ "$status" != "$2" ] || ! grep -qE "${3:-}" "$answer"; then
        echo "WRONG: expected $2 ${3:-}" >&2
        exit 1
    fi
}

field() { grep -i "^$1:" "$fields" | tr -d '\r' | sed 's/^[^:]*: *//'; }

member() { sed -E "s/.*\"$1\":\"?([^,\"}]*).*/\1/" "$answer"; }

await() { # await SECONDS TEXT COMMAND...: until it holds
    local left=$(($1 * 5)) text=$2
    shift 2
    until "$@"; do
        left=$((left - 1))
        if [ "$left" -lt 0 ]; then
            echo "WRONG: never $text" >&2
            exit 1
        fi
        sleep 0.2
    done
}

echo "== Starting RabbitMQ, PostgreSQL, two APIs and two workers"
rm -rf "$run"/postgres "$run"/rabbitmq
deploy/local/up.sh
infer='{"inputs":[{"name":"IN","datatype":"FP32","shape":[1],"data":[1]}]}'
job='{"model":"ident_fp32","inference":'$infer'}'
slow() { echo '{"model":"sleep","inference":{"inputs":[{"name":"IN","datatype":"INT32","shape":[1],"data":['"$1"']}]},"expires_in":'"$2"'}'; }

echo "== Keys"
admin=$(deploy/local/keys.sh create --name operator --roles admin,operate 2> /dev/null)
known() { ask "" GET "$1/v2/models" && [ "$status" = 401 ]; }
await 10 "both APIs ask for a key" known "$one"
await 10 "both APIs ask for a key" known "$two"
must "no key" 401 '"unauthorized"'
new_key() { # new_key TENANT REQUESTS: sets key
    ask "$admin" POST "$one/v1/keys" '{"name":"client of '"$1"'","tenant":"'"$1"'","roles":["submit","read"],"requests":'"$2"'}'
    key=$(member key)
    sed -i -E 's/"mr_[^"]*"/"mr_..."/' "$answer"
}
new_key a 100000; must "an admin makes a key for tenant a" 201 '"tenant":"a"'; a=$key
new_key b 100000; must "and one for tenant b" 201 '"tenant":"b"'; b=$key
new_key a 5; must "and one for tenant a that may call five times a minute" 201; few=$key
knows() { ask "$2" GET "$1/v2/models" && [ "$status" = 200 ]; }
await 10 "the other API knows the keys" knows "$two" "$b"

echo "== Tenants"
ask "$a" POST "$one/v1/jobs" "$job"; must "a submits a job" 202 '"state":"(queued|running)"'
id=$(member id)
ask "$a" GET "$two/v1/jobs/$id?wait=30"; must "a reads it at the other API" 200 '"state":"succeeded"'
ask "$b" GET "$two/v1/jobs/$id"; must "b reads it" 404 '"job_not_found"'
ask "$b" POST "$one/v1/jobs/$id/cancel"; must "b cancels it" 404 '"job_not_found"'
ask "$b" GET "$one/v1/keys"; must "b lists keys" 403 '"forbidden"'

echo "== Limit, over both APIs"
sleep_to_window() { [ $(($(date +%s) % 60)) -lt 50 ]; }
await 15 "a window has ten seconds left" sleep_to_window
for call in 1 2 3 4 5; do
    url=$one; [ $((call % 2)) = 1 ] || url=$two
    await 5 "the API knows the key" eval 'ask "$few" GET "$url/v1/jobs?limit=1"; [ "$status" != 401 ]'
    must "call $call" 200
done
ask "$few" GET "$two/v1/jobs?limit=1"; must "call 6, at the other API" 429 '"violated-policies":\["key"\]'
[ -n "$(field ratelimit)" ] && [ -n "$(field ratelimit-policy)" ] && [ "$(field retry-after)" -ge 1 ] || { echo "WRONG: fields are missing" >&2; exit 1; }
ask "$a" GET "$two/v1/jobs?limit=1"; must "another key of the tenant" 200

echo "== Overload: 800 jobs of about 50 ms for two workers with one instance each"
export a one
seq 800 | xargs -P 8 -I{} curl -s -o /dev/null -H "Authorization: Bearer $a" -d "$(slow 100 3600)" "$one/v1/jobs"
paced() { ask "$admin" GET "$one/v1/admission" && grep -qE '"model":"sleep","queued":[0-9]+,"running":[0-9]+,"drain_per_second":[0-9]' "$answer"; }
await 30 "the pace of the queue is known" paced
sleep 8 # the clients are done, so the workers have the processors for themselves
ask "$a" POST "$one/v1/jobs" "$(slow 1 4)"; must "a job that would wait no longer than 4 s" 503 '"queue_full"'
told=$(field retry-after) since=$(date +%s%N)
taken() { ask "$a" POST "$one/v1/jobs" "$(slow 1 4)" && [ "$status" = 202 ]; }
await 60 "it is accepted" taken
took=$((($(date +%s%N) - since) / 1000000))
must "the same job, $took ms later (Retry-After said $told s)" 202
[ "$took" -ge $((told * 500)) ] && [ "$took" -le $((told * 1500)) ] || { echo "WRONG: Retry-After is not within 50 %" >&2; exit 1; }
ask "$b" POST "$one/v1/jobs" "$(slow 1 4)"; must "b was never in its way" 202

echo "== The broker is killed"
kill -9 "$(cut -d' ' -f1 "$run/processes/rabbitmq")"
since=$(date +%s%N)
refused() { ask "$a" POST "$one/v2/models/ident_fp32/infer" "$infer" && [ "$status" = 503 ]; }
await 10 "a request is refused" refused
must "a request, $((($(date +%s%N) - since) / 1000000)) ms later" 503 '"unavailable"'
opened() { refused && ask "$admin" GET "$one/v1/admission" && grep -q '"broker":"open"' "$answer"; }
await 30 "the circuit is open" opened
must "the circuit" 200 '"broker":"open"'
since=$(date +%s%N)
ask "$a" POST "$one/v2/models/ident_fp32/infer" "$infer"; must "a request" 503 '"unavailable"'
[ $((($(date +%s%N) - since) / 1000000)) -lt 1000 ] || { echo "WRONG: that took more than a second" >&2; exit 1; }
ask "$a" POST "$one/v1/jobs" "$job"; must "a job" 202
id=$(member id)

echo "== The broker is back"
deploy/local/up.sh > /dev/null
ask "$a" GET "$one/v1/jobs/$id?wait=60"; must "the job" 200 '"state":"succeeded"'
served() { ask "$a" POST "$one/v2/models/ident_fp32/infer" "$infer" && [ "$status" = 200 ]; }
await 30 "requests are answered" served
must "a request" 200
ask "$admin" GET "$one/v1/admission"; must "the circuit" 200 '"broker":"closed"'
ask "$admin" GET "$one/v1/audit?limit=5"; must "who did what" 200 '"key.create"'
echo "All answers were right."
