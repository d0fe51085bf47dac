#!/usr/bin/env bash
# Runs every test project and ends with the plain line "N passed, N failed[, N skipped]"; exit code 1 on any failure.
#   tests/run.sh [options of the test runner, for example -class '*JobTests']
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
passed=0 failed=0 skipped=0 status=0
out=$(mktemp) red=$(mktemp)
trap 'rm -f "$out" "$red"' EXIT
for project in tests/*.Tests; do
    name=$(basename "$project")
    echo "== $name"
    "artifacts/bin/$name/release/Millrace.$name" -noColor "$@" | tee "$out" || status=1
    read -r total errors bad skip notrun < <(sed -nE 's/.*Total: ([0-9]+), Errors: ([0-9]+), Failed: ([0-9]+), Skipped: ([0-9]+), Not Run: ([0-9]+).*/\1 \2 \3 \4 \5/p' "$out" | tail -1)
    if [ -z "${total:-}" ] && grep -q 'Total: 0' "$out"; then
        total=0 errors=0 bad=0 skip=0 notrun=0
    elif [ -z "${total:-}" ]; then
        echo "$name gave no summary" >&2
        total=1 errors=1 bad=0 skip=0 notrun=0
    fi
    [ "$((errors + bad))" -eq 0 ] || status=1
    grep -A3 '\[FAIL\]$' "$out" >> "$red" || true
    passed=$((passed + total - errors - bad - skip - notrun)) failed=$((failed + errors + bad)) skipped=$((skipped + skip))
    total=
done
lines=$(grep -rhoE '\[Conformance\(([0-9, ]+)\)\]' tests --include='*.cs' | grep -oE '[0-9]+' | sort -un | wc -l)
echo "protocol checklist (docs/conformance.md): $lines of 80 lines have a test"
if [ -s "$red" ]; then
    echo "Failed, with the beginning of each message:"
    cat "$red"
fi
if [ "$skipped" -gt 0 ]; then echo "$passed passed, $failed failed, $skipped skipped"; else echo "$passed passed, $failed failed"; fi
[ "$passed" -gt 0 ] || status=1
exit "$status"
