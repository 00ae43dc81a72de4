# shellcheck shell=bash
# State folder, ports, probes and messages that all parts share. Sourced by services.sh.

SERVICES=$ROOT/.services${NAME:+-$NAME}
STATE=$SERVICES # where data lives; moved by open_state where the checkout is closed to others
ID=$(printf '%s' "$ROOT${NAME:+/$NAME}" | cksum | cut -d' ' -f1)

say() { printf 'services: %s\n' "$*"; }

die() {
  printf 'services: error: %s\n' "$*" >&2
  exit 1
}

am_root() { [[ $EUID -eq 0 ]]; }

# as_user USER COMMAND…: Postgres refuses to run as root, and the broker should not.
as_user() {
  local user=$1
  shift
  if am_root && id -u "$user" >/dev/null 2>&1; then
    runuser -u "$user" -- "$@"
  else
    "$@"
  fi
}

open_state() {
  if [[ -n $NAME ]]; then
    [[ $NAME =~ ^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$ ]] ||
      die "a name is 1 to 32 of a-z, 0-9 and dashes, not '$NAME'"
    forget_given
  fi
  mkdir -p "$SERVICES/ports"
  if am_root && ! runuser -u nobody -- test -x "$SERVICES"; then
    STATE=/var/tmp/postrider-services-$ID
    own_folder "$STATE"
  fi
  # Children inherit the working directory, and one they may not enter breaks some of them.
  cd "$STATE"
}

# own_folder DIR: made by us alone. In a folder that everybody may write to, a name found
# there already could be somebody's link to a place of their choosing.
own_folder() {
  mkdir -m 755 "$1" 2>/dev/null || true
  [[ -d $1 && ! -L $1 && -O $1 ]] || die "$1 exists and is not ours; remove it"
}

# lock_state: two 'make services' at once would each start a set. Everything started
# later closes descriptor 9, or the lock would live as long as the services.
lock_state() {
  command -v flock >/dev/null || return 0
  exec 9>"$SERVICES/lock"
  flock -n 9 || {
    say "waiting for another run in this checkout"
    flock -w 900 9 || die "another run has held $SERVICES/lock for 15 minutes"
  }
}

# spawn LOG COMMAND…: in the background, in a process group of its own, so that Ctrl-C in
# a terminal does not reach it, and off make's pipes, which would else never close.
spawn() {
  local log=$1
  shift
  set -m
  "$@" >"$log" 2>&1 </dev/null 9>&- &
  set +m
}

# ---- ports: chosen at first use, then kept, so that URLs stay the same over restarts

port() {
  [[ -s $SERVICES/ports/$1 ]] || free_port >"$SERVICES/ports/$1"
  cat "$SERVICES/ports/$1"
}

# forget_taken_ports NAME…: called while the part is down. What listens there now is
# somebody else's.
forget_taken_ports() {
  local name
  for name; do
    if listening "$(port "$name")"; then
      say "port $(port "$name") was taken by another program; choosing a new one"
      rm -f "$SERVICES/ports/$name"
    fi
  done
}

# free_port: below the range from which systems hand out ports to outgoing connections, and
# of no set of this checkout: what listens there may only be away for a moment.
free_port() {
  local candidate try
  for ((try = 0; try < 200; try++)); do
    candidate=$((20000 + RANDOM % 12000))
    if ! listening "$candidate" && ! cat "$ROOT"/.services*/ports/* 2>/dev/null | grep -qx "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  die "no free port between 20000 and 32000"
}

# ---- probes: the protocol's own greeting. A bare connect proves nothing where a
# container engine's proxy accepts before the service does.

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# answers PORT FIRST_BYTES EXPECTED: the reply begins with one of the characters expected.
answers() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf '%b' "$2" >&3
    IFS= read -r -n 1 -t 2 byte <&3 || exit 1
    [[ -n $byte && $3 == *"$byte"* ]]
  ) 2>/dev/null
}

speaks_postgres() { answers "$1" '\0\0\0\010\004\0322\026\057' NS; }
speaks_amqp() { answers "$1" 'AMQP\0\0\011\001' $'\001'; }
speaks_smtp() { answers "$1" '' 2; }

# speaks_http PORT PATH: 200 for RabbitMQ's default user, or for no user at all.
speaks_http() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET %s HTTP/1.0\r\nHost: localhost\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\r\n' "$2" >&3
    IFS= read -r -t 2 line <&3 && [[ $line == *' 200 '* ]]
  ) 2>/dev/null
}

# await SECONDS WHAT LOG COMMAND…: until COMMAND succeeds.
await() {
  local limit=$1 what=$2 log=$3 end
  shift 3
  end=$((SECONDS + limit))
  until "$@"; do
    ((SECONDS < end)) || die_with_log "$what did not answer within $limit s" "$log"
    sleep 0.2
  done
}

# die_with_log WHY LOG: LOG is a file, or container:NAME.
die_with_log() {
  printf 'services: error: %s; the end of %s:\n' "$1" "$2" >&2
  case $2 in
    container:*) docker logs --tail 25 "${2#container:}" >&2 || true ;;
    *) tail -n 25 "$2" >&2 || true ;;
  esac
  exit 1
}

# runs PIDFILE MARK: the process lives and its command line holds MARK. A number alone
# may belong to anyone by now.
runs() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [[ -n $pid ]] &&
    ps -ww -o args= -p "$pid" 2>/dev/null | grep -qF -- "$2"
}

# stop PIDFILE MARK SIGNAL: returns when the process is gone.
stop() {
  local pid
  runs "$1" "$2" || return 0
  pid=$(cat "$1")
  kill "-$3" "$pid" 2>/dev/null || true
  await 120 "process $pid, told to stop," /dev/null is_gone "$pid"
}

process_state() { ps -o stat= -p "$1" 2>/dev/null || true; }
is_gone() { [[ $(process_state "$1") != [!Z]* ]]; }
is_reaped() { [[ $(process_state "$1") != Z* ]]; }

# given NAME OWN: the environment names a service that is not ours. Our own URL comes
# back to us from a shell that has read .services/env.
given() {
  [[ -n ${!1:-} && ${!1} != "$2" ]]
}

# forget_given: a named set is ours to harm, so nobody else's service may be in it.
forget_given() {
  local name
  for name in $(compgen -e | grep '^POSTRIDER_TEST_' || true); do
    unset "$name"
  done
}

# use_given NAME URL: better to learn here than in the middle of the tests that it is away.
use_given() {
  local address=${2#*://} host
  address=${address##*@}
  address=${address%%[/?,]*}
  host=${address%:*}
  [[ $address != *:* ]] || (exec 3<>"/dev/tcp/$host/${address##*:}") 2>/dev/null ||
    die "$1 is set, but nothing answers at $address; start it, or unset $1 to get a private one"
}

backend() { cat "$SERVICES/$1.backend" 2>/dev/null || true; }
keep_backend() { echo "$2" >"$SERVICES/$1.backend"; }
