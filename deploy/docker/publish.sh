#!/usr/bin/env bash
# Publishes every program of src/ (those that name runtime identifiers) for the machine it runs on. It runs in the image's build.
#   publish.sh list                  their names
#   publish.sh restore               the packages, as locked
#   publish.sh to FOLDER [REVISION]  FOLDER/{program}: the program as `millrace`, its list of packages, its licence
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
options=(-p:PublishReadyToRun="${READY_TO_RUN:-true}") # README.md tells what it gives

programs() { grep -l RuntimeIdentifiers src/*/*.csproj | xargs -n 1 dirname | xargs -n 1 basename; }

case "${1:-}" in
    list) programs ;;
    restore) for program in $(programs); do dotnet restore --locked-mode "${options[@]}" "src/$program"; done ;;
    to)
        runtime=linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
        for program in $(programs); do
            app=$2/$program
            dotnet publish --no-restore --configuration Release --runtime "$runtime" --no-self-contained "${options[@]}" \
                -p:DebugType=none -p:SourceRevisionId="${3:-}" --output "$app" "src/$program"
            rm -f "$app"/onnxruntime.dll "$app"/Millrace.*.xml # ONNX Runtime's package brings its library for Windows along, whatever is asked for
            deploy/docker/sbom.sh "$app/Millrace.$program.deps.json" > "$app/sbom.cdx.json"
            mv "$app/Millrace.$program" "$app/millrace"
            cp LICENSE NOTICE "$app"
            chmod -R u=rwX,go=rX "$app"
        done
        ;;
    *) sed -n '2,5p' "$0" >&2; exit 2 ;;
esac
