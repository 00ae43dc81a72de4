#!/usr/bin/env bash
# Private Postgres, RabbitMQ and MailHog for tests and for work by hand.
#
#   services.sh up            start what does not run yet, write .services/env
#   services.sh down          stop what was started here; the data stays
#   services.sh clean         down, then remove data, ports and logs; those of named sets too
#   services.sh rabbitmqctl   run rabbitmqctl against the private node
#
# What only the benchmark needs, and 'up' leaves alone:
#
#   services.sh redis-up         start Redis too; 'down' and 'clean' count it in
#   services.sh redis-down       stop it
#   services.sh postfix-install  install Postfix, without starting it
#
# Faults, where PART is postgres or rabbitmq; each returns when it has happened:
#
#   services.sh PART-kill     kill -9, as a power cut would
#   services.sh PART-stop     as an operator would
#   services.sh PART-start    start it again and wait until it answers
#   services.sh PART-restart  at once: Postgres without a checkpoint, RabbitMQ by kill -9
#   services.sh PART-pause    hold every process of it still (SIGSTOP)
#   services.sh PART-resume   let them go on (SIGCONT)
#   services.sh rabbitmq-wipe kill the broker and start it with all its data gone
#
# 'services.sh --name NAME COMMAND' does the same to another set, in .services-NAME and with
# ports, node and data of its own: for faults that the tests' services must not see. A named
# set is always private, whatever POSTRIDER_TEST_* says.
#
# Each part comes from the first of these that applies: the POSTRIDER_TEST_* URL of the
# environment, a Docker engine that answers, the system's packages. Instances that are
# already on the machine are never touched: ports and folders here are this checkout's own.
set -euo pipefail
umask 022
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # not in every user's

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
LIB=$ROOT/scripts/services
NAME=
if [[ ${1:-} == --name ]]; then
  NAME=${2:-}
  shift 2
fi
# shellcheck source=scripts/services/common.sh
. "$LIB/common.sh"
# shellcheck source=scripts/services/packages.sh
. "$LIB/packages.sh"
# shellcheck source=scripts/services/docker.sh
. "$LIB/docker.sh"
# shellcheck source=scripts/services/postgres.sh
. "$LIB/postgres.sh"
# shellcheck source=scripts/services/rabbitmq.sh
. "$LIB/rabbitmq.sh"
# shellcheck source=scripts/services/faults.sh
. "$LIB/faults.sh"
# shellcheck source=scripts/services/mailhog.sh
. "$LIB/mailhog.sh"
# shellcheck source=scripts/services/redis.sh
. "$LIB/redis.sh"
# shellcheck source=scripts/services/postfix.sh
. "$LIB/postfix.sh"
# shellcheck source=scripts/services/env.sh
. "$LIB/env.sh"

up() {
  ensure_c_compiler
  ensure_interpreters
  postgres_up
  rabbitmq_up
  mailhog_up
  write_env
}

# redis_too starts Redis beside the others, whose URLs are in the same file.
redis_too() {
  redis_up
  write_env
}

# redis_away takes its URL out of the file again, where there is one.
redis_away() {
  redis_down
  [[ ! -e $SERVICES/env ]] || write_env
}

down() {
  redis_down
  mailhog_down
  rabbitmq_down
  postgres_down
}

clean() {
  down
  docker_remove postgres rabbitmq mailhog redis
  rm -rf "$STATE" "$SERVICES"
  say "removed $SERVICES"
  [[ -n $NAME ]] || clean_named
}

# clean_named removes the named sets too, but for one that a run holds.
clean_named() {
  local folder
  cd "$ROOT"
  for folder in "$ROOT"/.services-*/; do
    [[ -d $folder ]] || continue
    folder=${folder%/}
    touch "$folder/run.lock"
    flock -n "$folder/run.lock" "$ROOT/scripts/services.sh" --name "${folder#"$ROOT/.services-"}" clean ||
      say "$folder is in use and stays"
  done
}

command=${1:-up}
[[ $# -eq 0 ]] || shift
case $command in
  up | down | clean) open_state && lock_state && "$command" ;;
  redis-up) open_state && lock_state && redis_too ;;
  redis-down) open_state && lock_state && redis_away ;;
  postfix-install) open_state && lock_state && postfix_install ;;
  rabbitmqctl) open_state && rabbitmq_ctl "$@" ;;
  postgres-* | rabbitmq-*) open_state && fault "${command%%-*}" "${command#*-}" ;;
  *) die "unknown command '$command'; known: up, down, clean, rabbitmqctl, redis-up, redis-down, postfix-install, and $FAULTS of postgres and rabbitmq" ;;
esac
