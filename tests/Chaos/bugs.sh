#!/usr/bin/env bash
# Builds in one bug at a time, in a worktree of its own, and runs the test that must find it. Fails when one is not found.
#   tests/Chaos/bugs.sh [name...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD tree=$(mktemp -d) found=0 all=0
trap 'git worktree remove --force "$tree/tree" 2> /dev/null || true; rm -rf "$tree"' EXIT
git worktree add --quiet --detach "$tree/tree" HEAD
for patch in tests/Chaos/bugs/*.patch; do
    name=$(basename "$patch" .patch)
    [ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
    all=$((all + 1))
    test=$(sed -n 's/^Found by: //p' "$patch")
    git -C "$tree/tree" apply "$root/$patch"
    (cd "$tree/tree" && dotnet build -c Release --nologo -v q src/Standalone > "$tree/build" 2>&1 && dotnet build -c Release --nologo -v q tests/Chaos.Tests >> "$tree/build" 2>&1) || { cat "$tree/build"; exit 1; }
    if (cd "$tree/tree" && timeout 900 artifacts/bin/Chaos.Tests/release/Millrace.Chaos.Tests -noColor -method "$test") > "$tree/out" 2>&1; then
        echo "NOT found: $name ($(head -1 "$patch"))"
    elif grep -q 'Total: 0' "$tree/out"; then
        echo "No test is called $test" >&2
    else
        found=$((found + 1))
        echo "found: $name ($(head -1 "$patch")) $(grep -oE 'I[0-9]+, What[^}]*|Invariant = I[0-9]+[^}]*|Assert[^!]*Failure|Not within[^.]*' "$tree/out" | head -1)"
    fi
    git -C "$tree/tree" checkout --quiet .
done
echo "$found of $all bugs found"
[ "$found" = "$all" ]
