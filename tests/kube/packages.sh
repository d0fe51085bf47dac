#!/usr/bin/env bash
# Installs the npm packages that the checks of YAML need, as locked, into MILLRACE_TOOLS (default artifacts/tools), once; node_modules here points there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
for program in node npm; do
    command -v "$program" > /dev/null || { echo "$program is needed: Debian's packages nodejs and npm" >&2; exit 1; }
done
mkdir -p "${MILLRACE_TOOLS:-artifacts/tools}"
tools=$(cd "${MILLRACE_TOOLS:-artifacts/tools}" && pwd)
(
    flock 9 # two checks may begin at the same time
    if ! cmp -s tests/kube/package-lock.json "$tools/kube/installed.json"; then
        mkdir -p "$tools/kube"
        cp tests/kube/package.json tests/kube/package-lock.json "$tools/kube/"
        npm ci --prefix "$tools/kube" --no-audit --no-fund --loglevel=error > "$tools/kube/npm.log" 2>&1 || { cat "$tools/kube/npm.log" >&2; exit 1; }
        cp tests/kube/package-lock.json "$tools/kube/installed.json"
    fi
    ln -sfn "$tools/kube/node_modules" tests/kube/node_modules
) 9> "$tools/lock"
