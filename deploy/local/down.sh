#!/usr/bin/env bash
# Stops what up.sh started, and nothing else, in order: no work is lost, and the data stays in .run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. deploy/local/common.sh
stop TERM $(names api-) $(names worker-)
stop TERM $(names rabbitmq)
stop INT $(names postgres)
rm -f "$run/processes.json"
