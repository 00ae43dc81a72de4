# shellcheck shell=bash
# What a test may do to Postgres and RabbitMQ of its own. Sourced by services.sh.

FAULTS='kill, stop, start, restart, pause, resume, wipe'

# fault PART KIND
fault() {
  local part=$1 kind=$2
  [[ -n $(backend "$part") ]] || die "no private $part here; run 'services.sh ${NAME:+--name $NAME }up'"
  case $kind in
    kill) fault_kill "$part" ;;
    stop) "${part}_down" ;;
    start) "${part}_again" ;;
    restart) "${part}_restart" ;;
    pause) fault_hold "$part" STOP pause ;;
    resume) fault_hold "$part" CONT unpause ;;
    wipe) "${part}_wipe" ;;
    *) die "unknown fault '$kind'; known: $FAULTS" ;;
  esac
}

in_docker() { [[ $(backend "$1") == docker ]]; }

# fault_kill PART: every process of it at the same moment, as a power cut would. A server
# process that outlived the postmaster would keep the next one from starting.
fault_kill() {
  local pids pid
  if in_docker "$1"; then
    docker kill "$(container "$1")" >/dev/null
    return
  fi
  pids=$("$1_pids")
  [[ -n $pids ]] || return 0
  # shellcheck disable=SC2086 # a list
  kill -KILL $pids 2>/dev/null || true
  for pid in $pids; do
    await 120 "process $pid, killed," /dev/null is_gone "$pid"
  done
}

# fault_hold PART SIGNAL DOCKER_COMMAND
fault_hold() {
  local pids
  if in_docker "$1"; then
    docker "$3" "$(container "$1")" >/dev/null
    return
  fi
  pids=$("$1_pids")
  [[ -n $pids ]] || die "$1 does not run"
  # shellcheck disable=SC2086 # a list
  kill "-$2" $pids 2>/dev/null || true
}

# ---- Postgres

# postgres_pids: the postmaster first, so that it starts no more of those that follow.
postgres_pids() {
  postmaster_runs || return 0
  postmaster_pid
  ps -o pid= --ppid "$(postmaster_pid)" || true
}

postgres_again() {
  if in_docker postgres; then
    docker start "$(container postgres)" >/dev/null
    await 120 postgres "container:$(container postgres)" postgres_ready
  elif ! postmaster_runs; then
    postgres_start "$(postgres_bin)"
  fi
}

# postgres_restart: 'immediate' ends every session and recovers from the log at the start.
postgres_restart() {
  if in_docker postgres; then
    fault_kill postgres
    postgres_again
    return
  fi
  postmaster_runs || die "postgres does not run"
  as_user postgres "$(postgres_bin)/pg_ctl" -D "$STATE/postgres/data" -l "$STATE/postgres/log" \
    -w -t 300 -m immediate restart >/dev/null 2>&1 9>&- </dev/null ||
    die_with_log "postgres did not restart" "$STATE/postgres/log"
}

postgres_wipe() { die "Postgres is where accepted mail is kept: it cannot be wiped and nothing lost"; }

# ---- RabbitMQ

rabbitmq_pids() { ! runs "$STATE/rabbitmq/pid" "$STATE/rabbitmq" || cat "$STATE/rabbitmq/pid"; }

rabbitmq_again() { rabbitmq_start; }

rabbitmq_restart() {
  fault_kill rabbitmq
  rabbitmq_start
}

# rabbitmq_wipe: what a node looks like that lost its disk.
rabbitmq_wipe() {
  fault_kill rabbitmq
  if in_docker rabbitmq; then
    docker_remove rabbitmq
    rabbitmq_in_docker
  else
    rm -rf "$STATE/rabbitmq/mnesia"
    rabbitmq_folder
    rabbitmq_start
  fi
}
