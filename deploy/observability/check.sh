#!/usr/bin/env bash
# Checks all that Prometheus, Alertmanager and Grafana read here, without a server: one line for each check, exit code 1 when one fails.
#   check.sh
# Needs promtool and amtool (Debian: prometheus, prometheus-alertmanager) and Node.js 18. Installs nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
missing=()
for tool in promtool amtool node; do command -v "$tool" > /dev/null || missing+=("$tool"); done
[ "${#missing[@]}" -eq 0 ] || { echo "Missing: ${missing[*]} (Debian: prometheus, prometheus-alertmanager, nodejs)" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

check() { # check NAME COMMAND...: what it says is shown when it fails
    local name=$1
    shift
    if "$@" > "$scratch/said" 2>&1; then
        echo "ok    $name"
    else
        echo "FAIL  $name"
        sed 's/^/        /' "$scratch/said"
        failed=1
    fi
}

route() { # route RECEIVERS LABEL...: who gets an alert with these labels
    local receivers=$1
    shift
    check "route: $* -> $receivers" amtool config routes test --config.file=alertmanager/alertmanager.yml --verify.receivers="$receivers" "$@"
}

check 'rules parse' promtool check rules prometheus/rules.yaml
check 'rules behave (rules.test.yaml)' promtool test rules prometheus/rules.test.yaml
check 'Prometheus takes its configuration' promtool check config prometheus/prometheus.yml
sed 's/\${TAG}/0.1.0-0123abc/g' prometheus/prometheus.yml > "$scratch/prometheus.yml"
cp prometheus/rules.yaml "$scratch/"
check 'also with a tag in it' promtool check config "$scratch/prometheus.yml"
check 'Alertmanager takes its configuration' amtool check-config alertmanager/alertmanager.yml
route rollback,operators alertname=MillraceErrorRatioHigh app=millrace severity=page action=rollback version=0.1.0-0123abc
route operators alertname=MillraceNoWorker app=millrace severity=page model=digits
route operators alertname=MillraceDeadLetters app=millrace severity=ticket
route operators alertname=Other severity=page
node grafana/expressions.mjs "$scratch/dashboard.yaml" || failed=1
check 'expressions of the dashboard parse' promtool check rules "$scratch/dashboard.yaml"
# The chart can read only what lies in its own folder.
for pair in prometheus/rules.yaml:rules.yaml grafana/millrace.json:dashboard.json; do
    copy=../k8s/files/${pair#*:}
    [ ! -d ../k8s/files ] || check "the chart has the same ${pair%:*}" cmp "${pair%:*}" "$copy"
done
exit $failed
