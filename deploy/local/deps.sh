#!/usr/bin/env bash
# Installs what the distributed form and the tests need besides the .NET SDK, from Debian's packages: RabbitMQ and PostgreSQL; Prometheus' and
# Alertmanager's programs; Node.js with npm, which checks the chart; a client of gRPC in Python. Nothing is started.
set -euo pipefail
servers=() tools=()
ls /usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server > /dev/null 2>&1 || servers+=(rabbitmq-server)
ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || servers+=(postgresql)
for program in promtool:prometheus amtool:prometheus-alertmanager node:nodejs npm:npm unzip:unzip ip:iproute2 protoc:protobuf-compiler grpc_python_plugin:protobuf-compiler-grpc; do
    command -v "${program%%:*}" > /dev/null || tools+=("${program#*:}")
done
/usr/bin/python3 -c 'import grpc, google.protobuf' 2> /dev/null || tools+=(python3-grpcio python3-protobuf)
if [ -n "${MILLRACE_TEST_POSTGRES:-}" ] && [ -n "${MILLRACE_TEST_RABBITMQ:-}" ]; then servers=(); fi # the tests' servers are named
need=("${servers[@]}" "${tools[@]}")
[ "${#need[@]}" -gt 0 ] || exit 0
if ! command -v apt-get > /dev/null; then
    if [ "${#tools[@]}" -eq 0 ] && docker info > /dev/null 2>&1; then exit 0; fi # the tests start containers
    echo "Please install ${need[*]} (the names are Debian's). Instead of the servers: start Docker, or set MILLRACE_TEST_POSTGRES and MILLRACE_TEST_RABBITMQ" >&2
    exit 1
fi
sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo)
echo "Installing ${need[*]} ..."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# RUNLEVEL=1: the packages' own services are not started; ours run from folders of their own.
if ! { "${sudo[@]}" apt-get update -qq && "${sudo[@]}" env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}"; } > "$log" 2>&1; then
    tail -20 "$log" >&2
    exit 1
fi
