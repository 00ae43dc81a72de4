# shellcheck shell=bash
# The private Postgres. Sourced by services.sh.

postgres_url() {
  printf 'postgres://postrider:%s@127.0.0.1:%s/postrider?sslmode=disable' "$(postgres_password)" "$(port postgres)"
}

# postgres_password: a superuser of Postgres can run commands as the user it runs as, so
# even on loopback not every local user may come in.
postgres_password() {
  local file=$SERVICES/postgres.password
  [[ -s $file ]] || (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$file")
  cat "$file"
}

postgres_settings() {
  cat <<'SETTINGS'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
shared_buffers = 128MB
# What is called durable must be durable here too.
fsync = on
synchronous_commit = on
max_wal_size = 512MB
log_line_prefix = '%m [%p] '
SETTINGS
}

postgres_up() {
  if given POSTRIDER_TEST_DATABASE_URL "$(postgres_url)"; then
    use_given POSTRIDER_TEST_DATABASE_URL "$POSTRIDER_TEST_DATABASE_URL"
    return
  fi
  ! postgres_ready || return 0
  postgres_runs || forget_taken_ports postgres
  postgres_in_docker || postgres_from_packages
}

postgres_runs() {
  case $(backend postgres) in
    docker) docker_runs postgres ;;
    packages) postmaster_runs ;;
    *) false ;;
  esac
}

postgres_ready() { postgres_runs && speaks_postgres "$(port postgres)"; }

# ---- in Docker

postgres_in_docker() {
  docker_answers || return 1
  docker_start postgres postgres:17 -p "127.0.0.1:$(port postgres):5432" \
    -e POSTGRES_USER=postrider -e POSTGRES_DB=postrider -e "POSTGRES_PASSWORD=$(postgres_password)" \
    -- postgres -c max_connections=300 || return 1
  keep_backend postgres docker
  # While the image prepares its data, a server is there that listens on no port yet.
  await 120 postgres "container:$(container postgres)" \
    docker exec "$(container postgres)" pg_isready -q -h 127.0.0.1
}

# ---- from packages

# postgres_bin: the newest server here. Debian keeps it out of PATH; others do not.
postgres_bin() {
  local newest
  newest=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
  [[ -x $newest ]] || newest=$(command -v initdb) || return 1
  dirname "$newest"
}

postgres_from_packages() {
  local began=$SECONDS bin
  postgres_bin >/dev/null || install_packages postgresql
  bin=$(postgres_bin) || die "the package postgresql brought no initdb"
  say "postgres: starting on port $(port postgres)"
  [[ -f $STATE/postgres/ready ]] || postgres_init "$bin"
  postgres_settings >"$STATE/postgres/data/postgresql.auto.conf"
  echo "port = $(port postgres)" >>"$STATE/postgres/data/postgresql.auto.conf"
  postgres_start "$bin"
  if [[ ! -f $STATE/postgres/ready ]]; then
    PGPASSWORD=$(postgres_password) "$bin/createdb" -h 127.0.0.1 -p "$(port postgres)" -U postrider postrider
    touch "$STATE/postgres/ready"
  fi
  keep_backend postgres packages
  say "postgres: ready after $((SECONDS - began)) s"
}

postgres_init() {
  local dir=$STATE/postgres
  rm -rf "$dir"
  mkdir -p "$dir"
  touch "$dir/log"
  (umask 077 && postgres_password >"$dir/password")
  ! am_root || chown -R postgres "$dir"
  as_user postgres "$1/initdb" -D "$dir/data" -U postrider --pwfile="$dir/password" \
    --auth=password --locale=C -E UTF8 >"$dir/log" 2>&1 || die_with_log "initdb failed" "$dir/log"
  rm "$dir/password"
}

postgres_start() {
  local dir=$STATE/postgres
  # A killed postmaster that nobody has reaped yet would count as running.
  await 120 "the reaping of the old postgres" "$dir/log" is_reaped "$(postmaster_pid)"
  as_user postgres "$1/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 300 start >/dev/null 2>&1 9>&- </dev/null ||
    die_with_log "postgres did not start" "$dir/log"
}

postmaster_pid() { head -n 1 "$STATE/postgres/data/postmaster.pid" 2>/dev/null || echo 0; }

postmaster_runs() {
  local pid
  pid=$(postmaster_pid)
  [[ $pid -gt 0 ]] &&
    ps -ww -o args= -p "$pid" 2>/dev/null | grep -qF "$STATE/postgres/data"
}

postgres_down() {
  case $(backend postgres) in
    docker) docker_stop postgres ;;
    packages)
      postmaster_runs || return 0
      as_user postgres "$(postgres_bin)/pg_ctl" -D "$STATE/postgres/data" -w -t 300 -m fast stop >/dev/null
      ;;
    *) return 0 ;;
  esac
  say "postgres: stopped"
}
