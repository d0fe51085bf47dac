#!/usr/bin/env bash
# Lists the packages of a published program as CycloneDX 1.6, from its deps.json: names, versions, hashes, licences. It runs in the image's build, without network.
#   sbom.sh FILE.deps.json > sbom.cdx.json
set -euo pipefail
deps=$1 packages=${NUGET_PACKAGES:-$HOME/.nuget/packages}

component() { # component TYPE ID VERSION [SHA512 IN BASE64]
    local type=$1 id=$2 version=$3 hash=${4:-} nuspec licence= purl
    purl=pkg:nuget/$id@$version
    [ "$type" = library ] || purl=pkg:generic/$id@$version
    nuspec=$packages/${id,,}/${version,,}/${id,,}.nuspec
    [ ! -f "$nuspec" ] || licence=$(sed -nE 's/.*<license type="expression">([^<]+)<.*/\1/p' "$nuspec" | head -1)
    printf '{"type": "%s", "bom-ref": "%s", "name": "%s", "version": "%s", "purl": "%s"' "$type" "$purl" "$id" "$version" "$purl"
    [ -z "$licence" ] || printf ', "licenses": [{"expression": "%s"}]' "$licence"
    [ -z "$hash" ] || printf ', "hashes": [{"alg": "SHA-512", "content": "%s"}]' "$(base64 -d <<< "$hash" | od -An -v -tx1 | tr -d ' \n')"
    printf '}'
}

libraries() { # a line for each: type, id, version, hash; the SDK writes deps.json with a member to a line
    sed '1,/^  "libraries": {/d' "$deps" | awk -F'"' '
        /^    "/ { split($2, name, "/"); hash = "" }
        /^      "type":/ { type = $4 }
        /^      "sha512":/ { hash = $4; sub(/^sha512-/, "", hash) }
        /^    }/ { print type, name[1], name[2], hash }'
}

program=$(basename "$deps" .deps.json)
version=$(libraries | awk -v program="$program" '$2 == program { print $3 }')
[ -n "$version" ] || { echo "$deps does not list $program" >&2; exit 1; }
printf '{\n  "bomFormat": "CycloneDX",\n  "specVersion": "1.6",\n  "version": 1,\n  "metadata": {"component": %s},\n  "components": [' "$(component application "$program" "$version")"
comma=
while read -r type id version hash; do
    [ "$type" = package ] || continue
    printf '%s\n    %s' "$comma" "$(component library "$id" "$version" "$hash")"
    comma=,
done < <(libraries)
[ -n "$comma" ] || { echo "$deps lists no package" >&2; exit 1; }
printf '\n  ]\n}\n'
