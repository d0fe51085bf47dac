#!/usr/bin/env bash
# Builds the images, starts docker-compose.yml under a name of its own, asks it what README.md asks, and looks at every container. Ends with 1 at the first
# thing that is wrong; removes what it started, data too.
#   test.sh             on the Docker engine that runs; else DOCKER_START, a command, is run first to start one. KEEP=1 leaves all as it is
# Ports: PORT, GRPC_PORT, PROMETHEUS_PORT, ALERTMANAGER_PORT. BUILD_NETWORK=host where builds reach packages only so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PORT=${PORT:-18080} GRPC_PORT=${GRPC_PORT:-18001} PROMETHEUS_PORT=${PROMETHEUS_PORT:-19090} ALERTMANAGER_PORT=${ALERTMANAGER_PORT:-19093}
export COMPOSE_PROJECT_NAME=millrace-images-test
url=http://127.0.0.1:$PORT
project=$COMPOSE_PROJECT_NAME
files=$(mktemp -d)

fail() { echo "WRONG: $*" >&2; exit 1; }

compose() { if docker compose version > /dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi; }

if ! docker info > /dev/null 2>&1; then
    [ -n "${DOCKER_START:-}" ] || fail "no Docker engine runs, and DOCKER_START names no command that starts one"
    bash -c "$DOCKER_START"
    docker info > /dev/null || fail "DOCKER_START started no engine"
fi

finish() {
    local code=$?
    [ "$code" = 0 ] || compose logs --tail 15 api worker migrate announce database 2> /dev/null | cut -c 1-300 || true
    if [ "${KEEP:-}" != 1 ]; then
        docker rm --force --volumes "$project-cold" > /dev/null 2>&1 || true
        compose down --volumes --timeout 30 > /dev/null 2>&1 || true
    fi
    rm -rf "$files"
    exit "$code"
}
trap finish EXIT

await() { # await SECONDS TEXT COMMAND...: until it holds
    local deadline=$((SECONDS + $1)) text=$2
    shift 2
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || fail "never $text"
        sleep 0.2
    done
}

inspect() { docker inspect --format "$2" "$1"; }

echo "== Images"
images=$(DIRTY=1 deploy/docker/images.sh)
TAG=${images##*:}
export TAG
runtime=$(inspect "millrace-api:$TAG" '{{index .Config.Labels "org.opencontainers.image.base.name"}}')
contents() { # contents IMAGE: the names of its files
    local container
    container=$(docker create "$1" none)
    docker export "$container" | tar -t | sed 's#/$##' | sort
    docker rm "$container" > /dev/null
}
contents "$runtime" > "$files/base"
if grep -qE '(^|/)(sh|bash|dash|busybox)$' "$files/base"; then
    echo "$runtime here has a shell of its own, so it is not Microsoft's: only what we add to it is looked at"
fi
for image in $images; do
    contents "$image" | comm -23 - "$files/base" > "$files/ours"
    if grep -vE '^(app|models|data)(/|$)|^(dev|etc|proc|sys)(/|$)|^\.dockerenv$' "$files/ours"; then fail "$image has files outside /app"; fi
    if grep -E '(^|/)(sh|bash|busybox|curl|wget|nc)$|\.(sh|exe|pdb)$|runtimes/|onnxruntime\.dll' "$files/ours"; then fail "$image has what it does not need"; fi
    [ "$(inspect "$image" '{{.Config.User}}')" = 1654 ] || fail "$image does not name a user by number"
    for label in title licenses version revision base.name; do
        [ -n "$(inspect "$image" "{{index .Config.Labels \"org.opencontainers.image.$label\"}}")" ] || fail "$image has no label $label"
    done
    [ "$(inspect "$image" '{{index .Config.Labels "org.opencontainers.image.version"}}')" = "$TAG" ] || fail "$image: its label is not its tag"
    size=$(inspect "$image" '{{.Size}}')
    printf '%-48s %4d MB, of which ours %3d MB; %d files\n' "$image" $((size / 1000000)) $(((size - $(inspect "$runtime" '{{.Size}}')) / 1000000)) "$(wc -l < "$files/ours")"
done

echo "== The platform"
compose up --detach > "$files/up" 2>&1 || { tail -20 "$files/up" >&2; fail "it did not start"; }
containers() { docker ps --all --quiet --filter "label=com.docker.compose.project=$project" ${1:+--filter "label=com.docker.compose.service=$1"}; }
healthy() { # all of the service, and at least one
    local id some=
    for id in $(containers "$1"); do
        [ "$(inspect "$id" '{{.State.Health.Status}}')" = healthy ] || return 1
        some=1
    done
    [ -n "$some" ]
}
for service in postgres rabbitmq api worker prometheus alertmanager; do await 120 "healthy: $service" healthy "$service"; done
for service in secrets database migrate announce; do
    [ "$(inspect "$(containers $service)" '{{.State.Status}} {{.State.ExitCode}}')" = "exited 0" ] || fail "$service did not end well"
done
curl -sf "$url/v2/models/digits/infer" -d @models/digits/samples/7.json > "$files/answer" || fail "no inference"
grep -q '"name":"label","datatype":"INT64","shape":\[1\],"data":\[7\]' "$files/answer" || fail "not a 7: $(head -c 300 "$files/answer")"
echo "POST /v2/models/digits/infer: label 7"
curl -sf "$url/v1/jobs" -H 'Prefer: wait=10' -d @models/digits/samples/job-7.json | grep -q '"state":"succeeded"' || fail "the job did not succeed"
echo "POST /v1/jobs: succeeded"
compose exec -T rabbitmq rabbitmqctl -q list_queues -p millrace name type consumers | grep -E '^(infer|jobs)\.digits' || fail "the queues are not in RabbitMQ"
! curl -s -m 2 -o /dev/null "http://127.0.0.1:$PORT/metrics" -f || fail "metrics are answered on the public port"
up() { curl -sf "http://127.0.0.1:$PROMETHEUS_PORT/api/v1/query" --data-urlencode "query=sum by (job) (up{job=\"$1\"}) == $2" | grep -q "\"job\":\"$1\""; }
await 60 "scraped: the API" up millrace-api 1
await 60 "scraped: the worker" up millrace-worker 1
echo "Prometheus: API and worker are up"

echo "== Three workers"
compose up --detach --no-recreate --scale worker=3 > "$files/up" 2>&1 || { tail -20 "$files/up" >&2; fail "it did not scale"; }
[ "$(containers worker | wc -l)" = 3 ] || fail "there are no three workers"
await 60 "healthy: three workers" healthy worker
await 60 "scraped: three workers" up millrace-worker 3
echo "three are healthy and scraped"

echo "== Every container"
for id in $(containers); do
    name=$(inspect "$id" '{{index .Config.Labels "com.docker.compose.service"}}')
    must() { [[ $(inspect "$id" "$1") =~ $2 ]] || fail "$name: $3: $(inspect "$id" "$1")"; }
    must '{{.HostConfig.ReadonlyRootfs}}' '^true$' "its root can be written"
    must '{{.HostConfig.Privileged}}' '^false$' "it is privileged"
    must '{{.HostConfig.CapDrop}}' '^\[ALL\]$' "it keeps capabilities"
    must '{{.HostConfig.SecurityOpt}}' 'no-new-privileges:true' "it may gain privileges"
    must '{{.HostConfig.Memory}}' '^[1-9]' "its memory has no limit"
    must '{{.HostConfig.PidsLimit}}' '^[1-9]' "its processes have no limit"
    must '{{range .NetworkSettings.Ports}}{{range .}}{{.HostIp}} {{end}}{{end}}' '^(127\.0\.0\.1 )*$' "a port is open to others"
    case $name in
        api | worker | migrate | announce)
            must '{{.Config.User}}' '^1654:1654$' "it is not user 1654"
            must '{{.HostConfig.CapAdd}}' '^\[\]$' "it is given capabilities"
            ;;
    esac
    case $name in
        api | worker) [ "$(docker top "$id" -eo pid,uid | awk 'NR > 1 { print $2 }' | sort -u)" = 1654 ] || fail "$name: not all its processes are user 1654's" ;;
    esac
done
[ "$(docker network inspect --format '{{.Internal}}' "${project}_backend")" = true ] || fail "the inner network has a way out"
[ "$(docker port "$(containers worker | head -1)")" = "" ] && [ "$(docker port "$(containers postgres)")" = "" ] && [ "$(docker port "$(containers rabbitmq)")" = "" ] \
    || fail "a port is published that should not be"
for password in postgres:superuser postgres:millrace rabbitmq:millrace rabbitmq:operator; do
    value=$(compose exec -T "${password%:*}" cat "/run/secrets/${password#*:}")
    [ ${#value} = 48 ] || fail "the password $password is not there"
    ! docker inspect $(containers) | grep -q "$value" || fail "docker inspect shows the password $password"
    ! compose logs 2> /dev/null | grep -q "$value" || fail "a log shows the password $password"
done
echo "$(containers | wc -l) containers: root read-only, no capability but what a server needs to change its user, limits, ports on 127.0.0.1 only, no password to be seen"

echo "== Cold starts: from docker run to 200 of /health/ready, in ms"
cold() { # cold PROGRAM OPTION...: three times
    local program=$1 times= began port
    shift
    for _ in 1 2 3; do
        docker create --name "$project-cold" --read-only --tmpfs /tmp --cap-drop ALL --publish 127.0.0.1::9080 --env MILLRACE__HTTP__ALLOWOPEN=true \
            --volume "$PWD/models:/models:ro" "$@" "millrace-$program:$TAG" > /dev/null
        [ "$program" = standalone ] || docker network connect "${project}_backend" "$project-cold"
        began=$(date +%s%N)
        docker start "$project-cold" > /dev/null
        port=$(docker port "$project-cold" 9080)
        until curl -sf -m 2 -o /dev/null "http://$port/health/ready"; do
            [ $((($(date +%s%N) - began) / 1000000)) -lt 60000 ] || { docker logs "$project-cold" >&2; fail "millrace-$program does not become ready"; }
            sleep 0.01
        done
        times="$times $((($(date +%s%N) - began) / 1000000))"
        docker exec "$project-cold" /app/millrace health || fail "millrace-$program: its health command says no"
        docker stop -t 60 "$project-cold" > /dev/null
        [ "$(inspect "$project-cold" '{{.State.ExitCode}}')" = 0 ] || fail "millrace-$program did not end with 0 after SIGTERM"
        docker rm --volumes "$project-cold" > /dev/null
    done
    echo "$program:$times"
}
compose stop worker > /dev/null 2>&1
cold standalone --volume /data
cold api --network "${project}_edge" --volume "${project}_secrets-millrace:/run/secrets:ro"
cold worker --network "${project}_edge" --volume "${project}_secrets-millrace:/run/secrets:ro"

echo "== Stop"
compose stop > /dev/null 2>&1
for id in $(containers api) $(containers worker); do
    [ "$(inspect "$id" '{{.State.ExitCode}}')" = 0 ] || fail "$(inspect "$id" '{{.Name}}') did not end with 0 after SIGTERM"
done
echo "API and workers ended in order. All is as it should be."
