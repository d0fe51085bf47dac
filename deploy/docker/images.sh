#!/usr/bin/env bash
# Builds the image of every program under one tag, {version}-{commit}, and writes their lists of packages to artifacts/sbom/.
#   images.sh            refuses a tree that differs from its commit: what runs must be found again by its tag
#   DIRTY=1 images.sh    builds it all the same, as {version}-{commit}-dirty
# PREFIX is put before the names (as registry.example/team/), BUILD_NETWORK is the build's network. Prints the names of the images.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
version=$(sed -nE 's/.*<Version>(.+)<\/Version>.*/\1/p' Directory.Build.props)
revision=$(git rev-parse HEAD)
tag=$version-${revision:0:7}
if [ -n "$(git status --porcelain)" ]; then
    if [ "${DIRTY:-}" != 1 ]; then
        echo "There are changes that no commit has, so the images could not be found again by their tag $tag. Commit them, or see DIRTY in $0:" >&2
        git status --short >&2
        exit 1
    fi
    tag=$tag-dirty
fi

base() { # base NAME: the image as the registry names it just now, by digest, so that all of ours have the same below them
    docker pull --quiet "$1" > /dev/null 2>&1 || docker image inspect "$1" > /dev/null
    local digest
    digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$1" | head -1)
    echo "${digest:-$1}"
}

sdk=$(base "$(sed -n 's/^ARG SDK=//p' deploy/docker/Dockerfile)")
runtime=$(base "$(sed -n 's/^ARG RUNTIME=//p' deploy/docker/Dockerfile)")
mkdir -p artifacts/sbom
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for program in $(deploy/docker/publish.sh list); do
    image=${PREFIX:-}millrace-${program,,}:$tag
    if ! docker build --network "${BUILD_NETWORK:-default}" --file deploy/docker/Dockerfile --tag "$image" \
        --build-arg PROJECT="$program" --build-arg SDK="$sdk" --build-arg RUNTIME="$runtime" --build-arg VERSION="$tag" --build-arg SOURCE_REVISION="$revision" \
        --build-arg SOURCE_URL="${SOURCE_URL:-}" --build-arg READY_TO_RUN="${READY_TO_RUN:-true}" . > "$log" 2>&1; then
        tail -30 "$log" >&2
        exit 1
    fi
    container=$(docker create "$image")
    docker cp "$container:/app/sbom.cdx.json" - | tar -xO > "artifacts/sbom/millrace-${program,,}-$tag.cdx.json"
    docker rm "$container" > /dev/null
    echo "$image"
done
