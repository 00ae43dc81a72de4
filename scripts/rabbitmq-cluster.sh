#!/usr/bin/env bash
# Three RabbitMQ nodes on this machine that are one cluster, for faults of single nodes. It
# is a set of its own, in .services-rabbitmq-cluster.
#
#   rabbitmq-cluster.sh up         start what does not run yet, wait until the three are one
#   rabbitmq-cluster.sh urls       of AMQP, separated by commas, as POSTRIDER_RABBITMQ_URL takes them
#   rabbitmq-cluster.sh management the URLs of the management APIs, likewise
#   rabbitmq-cluster.sh down       stop all; their data stays
#   rabbitmq-cluster.sh clean      down, then remove data, ports and logs
#
# Faults of the nodes N, each 1 to 3; each returns when it has happened:
#
#   rabbitmq-cluster.sh kill N…    kill -9, at the same moment
#   rabbitmq-cluster.sh start N…   start them again and wait until they answer
#   rabbitmq-cluster.sh pause N…   hold them still (SIGSTOP): to the others they are cut off
#   rabbitmq-cluster.sh resume N…  let them go on (SIGCONT)
#   rabbitmq-cluster.sh ctl N …    rabbitmqctl against the node
set -euo pipefail
umask 022
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # not in every user's

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
LIB=$ROOT/scripts/services
# shellcheck disable=SC2034 # read by common.sh
NAME=rabbitmq-cluster
# shellcheck source=scripts/services/common.sh
. "$LIB/common.sh"
# shellcheck source=scripts/services/packages.sh
. "$LIB/packages.sh"
# shellcheck source=scripts/services/rabbitmq.sh
. "$LIB/rabbitmq.sh"

NODES=(1 2 3)

node() { echo "r$1@localhost"; }
folder() { echo "$STATE/r$1"; }

# in_node N COMMAND…: with the node's folders, names and ports. The port mapper is the
# cluster's own, which keeps it out of sight of any other Erlang node here. One scheduler
# is enough for each, and three nodes that spin would leave the machine nothing.
in_node() {
  local n=$1 dir
  shift
  dir=$(folder "$n")
  as_user rabbitmq env HOME="$dir" \
    ERL_EPMD_PORT="$(port epmd)" ERL_EPMD_ADDRESS=127.0.0.1 \
    RABBITMQ_NODENAME="$(node "$n")" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 \
    RABBITMQ_NODE_PORT="$(port "amqp-$n")" RABBITMQ_DIST_PORT="$(port "dist-$n")" \
    RABBITMQ_CONF_ENV_FILE="$dir/env.conf" RABBITMQ_CONFIG_FILE="$dir/rabbitmq.conf" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$dir/plugins" RABBITMQ_PID_FILE="$dir/pid" \
    RABBITMQ_MNESIA_BASE="$dir/mnesia" RABBITMQ_LOG_BASE="$dir/log" \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}' \
    "$@"
}

settings() {
  local n
  cat <<SETTINGS
management.tcp.ip = 127.0.0.1
management.tcp.port = $(port "management-$1")
disk_free_limit.absolute = 100MB
vm_memory_high_watermark.absolute = 512MB
raft.wal_max_size_bytes = 32000000
collect_statistics_interval = 1000
cluster_partition_handling = pause_minority
cluster_formation.peer_discovery_backend = classic_config
SETTINGS
  for n in "${NODES[@]}"; do echo "cluster_formation.classic_config.nodes.$n = $(node "$n")"; done
}

# prepare N: the cookie is what nodes know each other by.
prepare() {
  local dir
  dir=$(folder "$1")
  mkdir -p "$dir/mnesia" "$dir/log"
  : >"$dir/env.conf"
  echo '[rabbitmq_management].' >"$dir/plugins"
  settings "$1" >"$dir/rabbitmq.conf"
  [[ -s $SERVICES/cookie ]] || (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$SERVICES/cookie")
  (umask 077 && cp -f "$SERVICES/cookie" "$dir/.erlang.cookie")
  chmod 400 "$dir/.erlang.cookie"
  touch "$dir/log/start"
  ! am_root || chown -R rabbitmq "$dir"
}

# node_runs N: the folder is its home, with more arguments behind.
node_runs() { runs "$(folder "$1")/pid" "$(folder "$1") "; }

node_ready() {
  node_runs "$1" &&
    speaks_amqp "$(port "amqp-$1")" && speaks_http "$(port "management-$1")" /api/overview
}

# start N…: together, since one that was not the last to go waits for those that were.
start() {
  local n
  for n; do
    if ! node_runs "$n"; then
      rm -f "$(folder "$n")/pid"
      spawn "$(folder "$n")/log/start" in_node "$n" "$(rabbitmq_sbin)/rabbitmq-server"
    fi
  done
  for n; do await 180 "node $n" "$(folder "$n")/log/start" node_ready "$n"; done
}

up() {
  local n began=$SECONDS running=''
  rabbitmq_sbin >/dev/null || install_packages rabbitmq-server
  for n in "${NODES[@]}"; do ! node_runs "$n" || running=yes; done
  if [[ -z $running ]]; then
    in_node 1 epmd -kill >/dev/null 2>&1 || true # one whose nodes are gone still holds its port
    forget_taken_ports epmd
    for n in "${NODES[@]}"; do
      forget_taken_ports "amqp-$n" "dist-$n" "management-$n"
    done
    for n in "${NODES[@]}"; do prepare "$n"; done
  fi
  start "${NODES[@]}"
  ctl 1 await_online_nodes "${#NODES[@]}" --timeout 60 >/dev/null || die "the nodes did not become one cluster"
  say "rabbitmq cluster: three nodes are one after $((SECONDS - began)) s"
}

ctl() {
  local n=$1
  shift
  in_node "$n" "$(rabbitmq_sbin)/rabbitmqctl" "$@"
}

# signal SIGNAL N…
signal() {
  local signal=$1 n pids=()
  shift
  for n; do ! node_runs "$n" || pids+=("$(cat "$(folder "$n")/pid")"); done
  [[ ${#pids[@]} -gt 0 ]] || return 0
  kill "-$signal" "${pids[@]}"
  [[ $signal == KILL ]] || return 0
  for n in "${pids[@]}"; do await 30 "process $n, killed," /dev/null is_gone "$n"; done
}

# down: a node takes its pid file away before it is gone, so that is read first.
down() {
  local n pids=()
  signal CONT "${NODES[@]}"
  for n in "${NODES[@]}"; do ! node_runs "$n" || pids+=("$(cat "$(folder "$n")/pid")"); done
  [[ ${#pids[@]} -gt 0 ]] || return 0
  kill -TERM "${pids[@]}"
  for n in "${pids[@]}"; do await 60 "process $n, told to stop," /dev/null is_gone "$n"; done
  in_node 1 epmd -kill >/dev/null 2>&1 || true
  say "rabbitmq cluster: stopped"
}

clean() {
  down
  rm -rf "$STATE" "$SERVICES"
  say "removed $SERVICES"
}

# joined PREFIX NAME SUFFIX: one URL a node, separated by commas.
joined() {
  local n all=()
  for n in "${NODES[@]}"; do all+=("$1guest:guest@127.0.0.1:$(port "$2-$n")$3"); done
  (IFS=, && echo "${all[*]}")
}

some_nodes() {
  local n
  [[ $# -gt 0 ]] || die "name the nodes: 1, 2 or 3"
  for n; do [[ $n == [123] ]] || die "there is no node '$n', only 1, 2 and 3"; done
}

command=${1:-up}
[[ $# -eq 0 ]] || shift
case $command in
  up | down | clean) open_state && lock_state && "$command" ;;
  urls) open_state && joined amqp:// amqp / ;;
  management) open_state && joined http:// management '' ;;
  start) some_nodes "$@" && open_state && start "$@" ;;
  kill) some_nodes "$@" && open_state && signal KILL "$@" ;;
  pause) some_nodes "$@" && open_state && signal STOP "$@" ;;
  resume) some_nodes "$@" && open_state && signal CONT "$@" ;;
  ctl) open_state && ctl "$@" ;;
  *) die "unknown command '$command'; known: up, urls, management, down, clean, start, kill, pause, resume, ctl" ;;
esac
