#!/usr/bin/env bash
# Checks the chart without a cluster: a line for each check, and the end with 1 at the first that fails.
#   check.sh
# Needs node 18 or newer, npm, and unzip or python3; promtool too, if PromQL is to be checked. The first run downloads helm and a few npm packages into
# MILLRACE_TOOLS (default artifacts/tools), 50 MB and some seconds; later ones download nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mkdir -p "${MILLRACE_TOOLS:-artifacts/tools}"
MILLRACE_TOOLS=$(cd "${MILLRACE_TOOLS:-artifacts/tools}" && pwd)
export MILLRACE_TOOLS
here=tests/kube chart=deploy/k8s tag=1.2.0-0123abc
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

$here/packages.sh
PATH=$($here/fetch-helm "$MILLRACE_TOOLS"):$PATH

step() { # step TEXT COMMAND...: what it says is shown only when it fails. In a condition bash ignores errexit, so functions given here join their lines by &&
    local text=$1
    shift
    if ! "$@" > "$tmp/out" 2>&1; then
        echo "FAILED  $text"
        cat "$tmp/out"
        exit 1
    fi
    printf 'ok      %s%s\n' "$text" "$(sed -nE 's/^([0-9]+ valid, .*|[0-9]+ of [0-9]+ rules.*)$/: \1/p; s/^# pass ([0-9]+)$/: \1 tests/p' "$tmp/out" | tr -d '\n')"
}

render() { helm template millrace $chart -n millrace "$@"; }

keeps() { # keeps OPTION...: what is rendered so is valid, and keeps the rules
    render "$@" > "$tmp/manifests.yaml" &&
        node $here/validate.mjs --refs --quiet --rules "$tmp/rules" < "$tmp/manifests.yaml" &&
        node $here/assert.mjs --quiet < "$tmp/manifests.yaml"
}

refuses() { # refuses PATTERN OPTION...: helm says no, and says why
    local pattern=$1
    shift
    if render "$@" > /dev/null 2> "$tmp/refusal"; then
        echo "was rendered: $*"
        return 1
    fi
    grep -qE "$pattern" "$tmp/refusal" || { cat "$tmp/refusal"; return 1; }
}

documented() { # each setting that the chart gives is in docs/configuration.md; the rollback service's are its own
    local name
    for name in $(grep -ohE 'MILLRACE__[A-Z_]+' $chart/values*.yaml $chart/templates/* | grep -v MILLRACE__ROLLBACK__ | sort -u); do
        grep -q "\`$name\`" docs/configuration.md || { echo "$name is not in docs/configuration.md"; return 1; }
    done
}

same() { # same FILE COPY
    cmp "$1" "$2" || { echo "put it right: cp $1 $2"; return 1; }
}

packaged() { # the version in the package is the default tag
    helm package $chart --app-version $tag --destination "$tmp" &&
        helm lint --strict "$tmp"/millrace-*.tgz &&
        helm template millrace "$tmp"/millrace-*.tgz > "$tmp/packaged.yaml" &&
        grep "millrace-api:$tag" "$tmp/packaged.yaml"
}

for copy in prometheus/rules.yaml:rules.yaml grafana/millrace.json:dashboard.json; do
    step "files/${copy#*:} is the same as deploy/observability/${copy%:*}" same "deploy/observability/${copy%:*}" "$chart/files/${copy#*:}"
done

for values in $chart/values*.yaml; do
    step "lint ${values##*/}" helm lint --strict $chart -f "$values" --set image.tag=$tag
    step "${values##*/}" keeps -f "$values" --set image.tag=$tag
    step "${values##*/}, with a previous version" keeps -f "$values" --set image.tag=$tag,release.active=green,release.previousTag=1.1.0-fedcba9
done
step "everything switched on" keeps --set image.tag=$tag,gateway.enabled=true,broker.operator.enabled=true,database.operator.enabled=true \
    --set drill.enabled=true,drill.existingSecret=millrace-drill --set broker.prefix=one.,monitoring.tracesEndpoint=http://collector:4317
step "models from an image" keeps --set image.tag=$tag,models.existingClaim=,models.image=models:1
step "package" packaged

good="--set image.tag=$tag"
step "refuses a misspelled value" refuses "additional properties 'imgae' not allowed" $good --set imgae.tag=$tag
step "refuses the tag latest" refuses "does not match pattern" --set image.tag=latest
step "refuses a tag without a commit" refuses "does not match pattern" --set image.tag=1.2.0
step "refuses no tag" refuses "image.tag: '0.1.0' is not a version"
step "refuses a password as a value" refuses "additional properties 'password' not allowed" $good --set database.password=x
step "refuses a password in settings" refuses "/settings/MILLRACE__X" $good --set settings.MILLRACE__X=amqp://me:x@host
step "refuses a server's address in settings" refuses "MILLRACE__STORE__URL" $good --set settings.MILLRACE__STORE__URL=postgres://host/db
step "refuses a password in KEDA's address" refuses "/broker/managementUrl" $good --set broker.managementUrl=http://me:x@mq:15672
step "refuses a number where text must be" refuses "got number, want string" $good --set settings.MILLRACE__SYNC__MAXREQUESTS=5
step "refuses text where a number must be" refuses "got string, want integer" $good --set-string database.maxConnections=200
step "refuses a container without a memory limit" refuses "/api/resources" $good --set api.resources.limits=null
step "refuses more pods than the database has connections for" refuses "the pods may open [0-9]+" $good --set workers.defaults.max=30,database.window=100000
step "refuses a window that hides the backlog" refuses "hides the backlog" $good --set-json workers.defaults.serviceTime=0.05
step "refuses a grace that is shorter than the drain" refuses "shutdown: grace|shutdown.grace" $good --set api.shutdown.grace=30
step "refuses a worker's grace that is shorter than its drain" refuses "shutdown.grace" $good --set workers.defaults.shutdown.drain=3600
step "refuses two sources of models" refuses "exactly one of" $good --set models.emptyDir=true
step "refuses a drill without a key" refuses "give existingSecret" $good --set drill.enabled=true
step "refuses a drill without a rollback service" refuses "needs rollback.enabled" $good --set drill.enabled=true,drill.existingSecret=x,rollback.enabled=false
step "refuses a group twice" refuses "is there twice" $good --set 'workers.groups[0].name=a,workers.groups[0].models={a},workers.groups[1].name=a,workers.groups[1].models={b}'

step "tests of these checks, and of what a release does to the slots" node --test $here/*.test.mjs
if command -v promtool > /dev/null; then
    for rules in "$tmp"/rules/*.yaml; do step "promtool check rules ${rules##*/}" promtool check rules "$rules"; done
else
    echo "skipped promtool check rules: Debian's package prometheus has it"
fi
step "settings are documented" documented
