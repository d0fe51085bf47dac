#!/usr/bin/env bash
# Checks docker-compose.yml and the Dockerfile without a Docker engine: their form, and the rules that test.sh checks on what runs.
#   check.sh      needs node and the packages of tests/kube; asks docker compose, too, where there is one
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
for script in deploy/docker/*.sh; do bash -n "$script"; done
for script in deploy/compose/*.sh; do sh -n "$script"; done
tests/kube/packages.sh
node deploy/docker/check.mjs
if docker compose version > /dev/null 2>&1; then
    docker compose --profile observe config --quiet
elif command -v docker-compose > /dev/null; then
    docker-compose --profile observe config --quiet
fi
