#!/bin/sh
# Starts Prometheus in its container with the version that is deployed as a label of every target.
#   TAG=0.1.0-0123abc start.sh [ARGUMENT OF PROMETHEUS...]
# It reads prometheus.yml and rules.yaml beside it, and writes to /tmp alone.
set -eu
: "${TAG:?set TAG to the tag of the images}"
from=$(dirname "$0")
mkdir -p /tmp/prometheus
cp "$from/rules.yaml" /tmp/prometheus/
sed "s/\${TAG}/$TAG/g" "$from/prometheus.yml" > /tmp/prometheus/prometheus.yml
exec prometheus --config.file=/tmp/prometheus/prometheus.yml "$@"
