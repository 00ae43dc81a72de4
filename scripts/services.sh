#!/usr/bin/env bash
# Private Postgres, RabbitMQ and MailHog for tests and for work by hand.
#
#   services.sh up            start what does not run yet, write .services/env
#   services.sh down          stop what was started here; the data stays
#   services.sh clean         down, then remove data, ports and logs
#   services.sh rabbitmqctl   run rabbitmqctl against the private node
#   services.sh rabbitmq-kill | rabbitmq-start | rabbitmq-restart
#                             kill -9 the broker, start it again, or both
#
# Each part comes from the first of these that applies: the POSTRIDER_TEST_* URL of the
# environment, a Docker engine that answers, the system's packages. Instances that are
# already on the machine are never touched: ports and folders here are this checkout's own.
set -euo pipefail
umask 022
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # not in every user's

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
LIB=$ROOT/scripts/services
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
# shellcheck source=scripts/services/mailhog.sh
. "$LIB/mailhog.sh"
# shellcheck source=scripts/services/env.sh
. "$LIB/env.sh"

up() {
  ensure_c_compiler
  postgres_up
  rabbitmq_up
  mailhog_up
  write_env
}

down() {
  mailhog_down
  rabbitmq_down
  postgres_down
}

clean() {
  down
  docker_remove postgres rabbitmq mailhog
  rm -rf "$STATE" "$SERVICES"
  say "removed $SERVICES"
}

command=${1:-up}
[[ $# -eq 0 ]] || shift
case $command in
  up | down | clean) open_state && lock_state && "$command" ;;
  rabbitmqctl) open_state && rabbitmq_ctl "$@" ;;
  rabbitmq-kill) open_state && rabbitmq_kill ;;
  rabbitmq-start) open_state && rabbitmq_start ;;
  rabbitmq-restart) open_state && rabbitmq_kill && rabbitmq_start ;;
  *) die "unknown command '$command'; known: up, down, clean, rabbitmqctl, rabbitmq-kill, rabbitmq-start, rabbitmq-restart" ;;
esac
