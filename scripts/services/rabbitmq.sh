# shellcheck shell=bash
# The private RabbitMQ, with its management API. Sourced by services.sh.

rabbitmq_url() { printf 'amqp://guest:guest@127.0.0.1:%s/' "$(port amqp)"; }
rabbitmq_management_url() { printf 'http://guest:guest@127.0.0.1:%s' "$(port rabbitmq-management)"; }

rabbitmq_up() {
  if given POSTRIDER_TEST_RABBITMQ_URL "$(rabbitmq_url)"; then
    use_given POSTRIDER_TEST_RABBITMQ_URL "$POSTRIDER_TEST_RABBITMQ_URL"
    [[ -n ${POSTRIDER_TEST_RABBITMQ_MANAGEMENT_URL:-} ]] ||
      die "POSTRIDER_TEST_RABBITMQ_URL needs POSTRIDER_TEST_RABBITMQ_MANAGEMENT_URL beside it, as http://user:password@host:15672"
    use_given POSTRIDER_TEST_RABBITMQ_MANAGEMENT_URL "$POSTRIDER_TEST_RABBITMQ_MANAGEMENT_URL"
    return
  fi
  ! rabbitmq_ready || return 0
  rabbitmq_runs || forget_taken_ports amqp rabbitmq-management
  rabbitmq_in_docker || rabbitmq_from_packages
}

rabbitmq_runs() {
  case $(backend rabbitmq) in
    docker) docker_runs rabbitmq ;;
    packages) runs "$STATE/rabbitmq/pid" "$STATE/rabbitmq" ;;
    *) false ;;
  esac
}

rabbitmq_ready() {
  rabbitmq_runs &&
    speaks_amqp "$(port amqp)" && speaks_http "$(port rabbitmq-management)" /api/overview
}

# ---- in Docker

rabbitmq_in_docker() {
  docker_answers || return 1
  # The node's data is found again by its host name only.
  docker_start rabbitmq rabbitmq:4-management --hostname postrider \
    -e RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="$(rabbitmq_vm)" \
    -p "127.0.0.1:$(port amqp):5672" -p "127.0.0.1:$(port rabbitmq-management):15672" || return 1
  keep_backend rabbitmq docker
  await 300 rabbitmq "container:$(container rabbitmq)" rabbitmq_ready
}

# ---- from packages

# rabbitmq_sbin: Debian's wrappers in PATH insist on the system's own node and user.
rabbitmq_sbin() {
  local server=/usr/lib/rabbitmq/bin/rabbitmq-server
  [[ -x $server ]] || server=$(command -v rabbitmq-server) || return 1
  dirname "$server"
}

rabbitmq_node() { echo "postrider-$ID@localhost"; }

# rabbitmq_vm: its schedulers do not spin when they have nothing to do, and are half as many
# as cores. Others share these, and schedulers that wake each other for every message cost
# two cores a third more.
rabbitmq_vm() { echo '+SP 50:50 +sbwt none +sbwtdcpu none +sbwtdio none'; }

# in_rabbitmq COMMAND…: with this node's folders, names and ports instead of the system's.
# A port mapper of its own keeps it out of sight of any other Erlang node here.
in_rabbitmq() {
  local dir=$STATE/rabbitmq
  as_user rabbitmq env HOME="$dir" \
    ERL_EPMD_PORT="$(port epmd)" ERL_EPMD_ADDRESS=127.0.0.1 \
    RABBITMQ_NODENAME="$(rabbitmq_node)" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 \
    RABBITMQ_NODE_PORT="$(port amqp)" RABBITMQ_DIST_PORT="$(port rabbitmq-dist)" \
    RABBITMQ_CONF_ENV_FILE="$dir/env.conf" RABBITMQ_CONFIG_FILE="$dir/rabbitmq.conf" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$dir/plugins" RABBITMQ_PID_FILE="$dir/pid" \
    RABBITMQ_MNESIA_BASE="$dir/mnesia" RABBITMQ_LOG_BASE="$dir/log" \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="$(rabbitmq_vm) -kernel inet_dist_use_interface {127,0,0,1}" \
    "$@"
}

rabbitmq_settings() {
  cat <<SETTINGS
management.tcp.ip = 127.0.0.1
management.tcp.port = $(port rabbitmq-management)
disk_free_limit.absolute = 100MB
vm_memory_high_watermark.absolute = 1GB
raft.wal_max_size_bytes = 32000000
collect_statistics_interval = 1000
SETTINGS
}

rabbitmq_from_packages() {
  rabbitmq_sbin >/dev/null || install_packages rabbitmq-server
  rabbitmq_sbin >/dev/null || die "the package rabbitmq-server brought no server"
  keep_backend rabbitmq packages
  if ! rabbitmq_runs; then
    end_port_mapper # one whose node is gone still holds its port
    forget_taken_ports rabbitmq-dist epmd
    rabbitmq_folder
  fi
  rabbitmq_start
}

rabbitmq_folder() {
  local dir=$STATE/rabbitmq
  mkdir -p "$dir/mnesia" "$dir/log"
  : >"$dir/env.conf"
  echo '[rabbitmq_management].' >"$dir/plugins"
  rabbitmq_settings >"$dir/rabbitmq.conf"
  [[ -s $dir/.erlang.cookie ]] || (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$dir/.erlang.cookie")
  chmod 400 "$dir/.erlang.cookie"
  touch "$dir/log/start"
  ! am_root || chown -R rabbitmq "$dir"
}

# rabbitmq_start returns when the node answers AMQP and its management API.
rabbitmq_start() {
  local began=$SECONDS log=$STATE/rabbitmq/log/start
  if [[ $(backend rabbitmq) == docker ]]; then
    docker start "$(container rabbitmq)" >/dev/null
    log=container:$(container rabbitmq)
  elif ! rabbitmq_runs; then
    say "rabbitmq: starting on port $(port amqp)"
    rm -f "$STATE/rabbitmq/pid"
    spawn "$log" in_rabbitmq "$(rabbitmq_sbin)/rabbitmq-server"
  fi
  await 300 rabbitmq "$log" rabbitmq_ready
  say "rabbitmq: ready after $((SECONDS - began)) s"
}

end_port_mapper() { in_rabbitmq epmd -kill >/dev/null 2>&1 || true; }

rabbitmq_ctl() {
  case $(backend rabbitmq) in
    docker) docker exec "$(container rabbitmq)" rabbitmqctl "$@" ;;
    packages) in_rabbitmq "$(rabbitmq_sbin)/rabbitmqctl" "$@" ;;
    *) die "no private RabbitMQ here; run 'make services'" ;;
  esac
}

rabbitmq_down() {
  case $(backend rabbitmq) in
    docker) docker_stop rabbitmq ;;
    packages)
      rabbitmq_runs || return 0
      stop "$STATE/rabbitmq/pid" "$STATE/rabbitmq" TERM
      end_port_mapper
      ;;
    *) return 0 ;;
  esac
  say "rabbitmq: stopped"
}
