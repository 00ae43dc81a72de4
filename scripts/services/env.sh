# shellcheck shell=bash
# The file env of the set's folder, from which shells and the Makefile learn the URLs. Sourced by services.sh.

# write_env: a URL that was given stays as it is; the rest are our own.
write_env() {
  local file=$SERVICES/env
  (umask 077 && env_lines >"$file.new")
  write_broker_scripts
  mv -f "$file.new" "$file"
  say "ready; '. ${SERVICES##*/}/env' gives a shell their URLs"
}

env_lines() {
  local database=${POSTRIDER_TEST_DATABASE_URL:-$(postgres_url)}
  local rabbitmq=${POSTRIDER_TEST_RABBITMQ_URL:-$(rabbitmq_url)}
  local smtp=${POSTRIDER_TEST_SMTP_URL:-$(mailhog_smtp_url)}
  local mailhog=${POSTRIDER_TEST_MAILHOG_URL:-$(mailhog_api_url)}
  echo "# Written by 'make services': where Postgres, RabbitMQ and MailHog of this checkout are."
  echo "# Read it with '. ${SERVICES##*/}/env', then start a producer and consumers by hand."
  export_line POSTRIDER_DATABASE_URL "$database"
  export_line POSTRIDER_RABBITMQ_URL "$rabbitmq"
  export_line POSTRIDER_SMTP_URL "$smtp"
  export_line MAILHOG_URL "$mailhog"
  echo
  echo "# The same for the tests. Given in the environment, a URL of these replaces our own service."
  export_line POSTRIDER_TEST_DATABASE_URL "$database"
  export_line POSTRIDER_TEST_RABBITMQ_URL "$rabbitmq"
  export_line POSTRIDER_TEST_RABBITMQ_MANAGEMENT_URL "${POSTRIDER_TEST_RABBITMQ_MANAGEMENT_URL:-$(rabbitmq_management_url)}"
  export_line POSTRIDER_TEST_SMTP_URL "$smtp"
  export_line POSTRIDER_TEST_MAILHOG_URL "$mailhog"
  echo
  echo "# rabbitmqctl for this broker; and a script that kills it with -9 and starts it again,"
  echo "# or only one of the two when called with 'kill' or 'start'."
  export_line POSTRIDER_TEST_RABBITMQCTL "${POSTRIDER_TEST_RABBITMQCTL:-$SERVICES/rabbitmqctl}"
  export_line POSTRIDER_TEST_RABBITMQ_RESTART "${POSTRIDER_TEST_RABBITMQ_RESTART:-$SERVICES/rabbitmq-restart}"
  redis_line
}

# redis_line: only where Redis runs, since only 'services.sh redis-up' starts it.
redis_line() {
  local redis
  if given POSTRIDER_TEST_REDIS_URL "$(redis_url)"; then
    redis=$POSTRIDER_TEST_REDIS_URL
  elif redis_runs; then
    redis=$(redis_url)
  else
    return 0
  fi
  echo
  echo "# For the benchmark's peers."
  export_line POSTRIDER_TEST_REDIS_URL "$redis"
}

export_line() { printf "export %s='%s'\n" "$1" "${2//\'/\'\\\'\'}"; }

write_broker_scripts() {
  local script="\"$ROOT/scripts/services.sh\"${NAME:+ --name $NAME}"
  printf '#!/bin/sh\nexec %s rabbitmqctl "$@"\n' "$script" >"$SERVICES/rabbitmqctl"
  # shellcheck disable=SC2016 # expanded by the script that is written
  printf '#!/bin/sh\nexec %s "rabbitmq-${1:-restart}"\n' "$script" >"$SERVICES/rabbitmq-restart"
  chmod 755 "$SERVICES/rabbitmqctl" "$SERVICES/rabbitmq-restart"
}
