#!/usr/bin/env bash
# keys.sh create|list|revoke ...: on the database of `make up` where that runs, else on the data folder of `make run`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. deploy/local/common.sh
if [ -z "${MILLRACE__STORE__URL:-}" ] && alive postgres; then
    read -r _ _ MILLRACE__STORE__URL < "$run/processes/postgres"
    export MILLRACE__STORE__URL
fi
export MILLRACE__STORE__PATH=${DATA:-./data}
exec artifacts/bin/Standalone/release/Millrace.Standalone keys "$@"
