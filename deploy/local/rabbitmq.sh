#!/usr/bin/env bash
# Runs RabbitMQ in the foreground on loopback, from the installed package, with all its files in DIR; DIR/pid names the process of the broker itself.
#   rabbitmq.sh DIR PORT [LINE OF CONFIGURATION...]
# User and password guest, which RabbitMQ takes from loopback only. Ports PORT+1 and PORT+2 are Erlang's. With BROKER_METRICS_PORT or BROKER_MANAGEMENT_PORT
# it also serves its counters, or its management interface, on that port of 127.0.0.1.
set -euo pipefail
dir=$1 port=$2
shift 2
server=$(ls -d /usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server 2>/dev/null | sort -V | tail -1 || true) # not the package's wrapper, which insists on its own user
[ -n "$server" ] || server=$(command -v rabbitmq-server || true)
[ -n "$server" ] || { echo "RabbitMQ is not installed: make deps" >&2; exit 1; }
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
plugins= metrics= management=
if [ -n "${BROKER_METRICS_PORT:-}" ]; then # the broker's own counters, for Prometheus
    plugins=rabbitmq_prometheus metrics="prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = $BROKER_METRICS_PORT"
fi
if [ -n "${BROKER_MANAGEMENT_PORT:-}" ]; then # queues and their lengths over HTTP, for what scales by them
    plugins=${plugins:+$plugins,}rabbitmq_management management="management.tcp.ip = 127.0.0.1
management.tcp.port = $BROKER_MANAGEMENT_PORT"
fi
echo "[$plugins]." > "$dir/plugins"
cat > "$dir/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$port
# A running job's ticket stays unacknowledged, and so visible to scaling: longer than the longest timeout of a job (1 h).
consumer_timeout = 5400000
# A laptop's disk is hardly ever half empty.
disk_free_limit.absolute = 50MB
# Quorum queues hold in memory what is in the write-ahead log; by default that is half a gigabyte before it is rolled over.
raft.wal_max_size_bytes = 16777216
log.file.level = warning
log.console = false
$metrics
$management
$(printf '%s\n' "$@")
CONF
rm -f "$dir/pid"
export HOME=$dir ERL_EPMD_PORT=$((port + 2)) ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_NODENAME=millrace$port@localhost RABBITMQ_NODE_PORT=$port RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_DIST_PORT=$((port + 1))
export RABBITMQ_MNESIA_BASE=$dir/data RABBITMQ_LOG_BASE=$dir/log RABBITMQ_ENABLED_PLUGINS_FILE=$dir/plugins RABBITMQ_CONFIG_FILE=$dir/rabbitmq
export RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_PID_FILE=$dir/pid
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
epmd=$(command -v epmd || ls /usr/lib/erlang/erts-*/bin/epmd | tail -1)
"$epmd" & # ours, so that it ends with us
trap 'kill %1 2>/dev/null || true' EXIT
cd "$dir" # where it leaves its crash dumps
"$server" < /dev/null
