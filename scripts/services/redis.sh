# shellcheck shell=bash
# The private Redis, which only the benchmark's peers need. Sourced by services.sh.

redis_url() { printf 'redis://127.0.0.1:%s/0' "$(port redis)"; }

# redis_settings: every write is on disk before its answer; a caller that is content with
# less says so by CONFIG SET.
redis_settings() {
  cat <<SETTINGS
bind 127.0.0.1
port $(port redis)
dir $STATE/redis
daemonize no
appendonly yes
appendfsync always
save ""
SETTINGS
}

redis_up() {
  if given POSTRIDER_TEST_REDIS_URL "$(redis_url)"; then
    use_given POSTRIDER_TEST_REDIS_URL "$POSTRIDER_TEST_REDIS_URL"
    return
  fi
  ! redis_ready || return 0
  redis_runs || forget_taken_ports redis
  redis_in_docker || redis_from_packages
}

redis_runs() {
  case $(backend redis) in
    docker) docker_runs redis ;;
    packages) runs "$STATE/redis/pid" "$(redis_address)" ;;
    *) false ;;
  esac
}

# redis_address: the server's title shows it, and no file.
redis_address() { printf '127.0.0.1:%s' "$(port redis)"; }

redis_ready() { redis_runs && answers "$(port redis)" 'PING\r\n' +; }

redis_in_docker() {
  docker_answers || return 1
  docker_start redis redis:7 -p "127.0.0.1:$(port redis):6379" \
    -- redis-server --appendonly yes --appendfsync always --save '' || return 1
  keep_backend redis docker
  await 120 redis "container:$(container redis)" redis_ready
}

redis_from_packages() {
  local began=$SECONDS dir=$STATE/redis
  command -v redis-server >/dev/null || install_packages redis-server
  say "redis: starting on port $(port redis)"
  mkdir -p "$dir"
  redis_settings >"$dir/redis.conf"
  touch "$dir/log"
  ! am_root || chown -R redis "$dir"
  spawn "$dir/log" as_user redis redis-server "$dir/redis.conf" --pidfile "$dir/pid"
  keep_backend redis packages
  await 120 redis "$dir/log" redis_ready
  say "redis: ready after $((SECONDS - began)) s"
}

redis_down() {
  case $(backend redis) in
    docker) docker_stop redis ;;
    packages)
      redis_runs || return 0
      stop "$STATE/redis/pid" "$(redis_address)" TERM
      ;;
    *) return 0 ;;
  esac
  say "redis: stopped"
}
