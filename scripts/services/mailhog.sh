# shellcheck shell=bash
# The private MailHog, whose API the tests count their mail in. Sourced by services.sh.

mailhog_smtp_url() { printf 'smtp://127.0.0.1:%s?tls=none' "$(port mailhog-smtp)"; }
mailhog_api_url() { printf 'http://127.0.0.1:%s' "$(port mailhog-api)"; }

mailhog_up() {
  if given POSTRIDER_TEST_SMTP_URL "$(mailhog_smtp_url)"; then
    use_given POSTRIDER_TEST_SMTP_URL "$POSTRIDER_TEST_SMTP_URL"
    [[ -n ${POSTRIDER_TEST_MAILHOG_URL:-} ]] ||
      die "POSTRIDER_TEST_SMTP_URL needs POSTRIDER_TEST_MAILHOG_URL beside it, the API of the MailHog behind it, as http://host:8025"
    use_given POSTRIDER_TEST_MAILHOG_URL "$POSTRIDER_TEST_MAILHOG_URL"
    return
  fi
  ! mailhog_ready || return 0
  mailhog_runs || forget_taken_ports mailhog-smtp mailhog-api
  mailhog_in_docker || mailhog_from_source
}

# mailhog_address: by which the processes of several sets are told apart.
mailhog_address() { printf '127.0.0.1:%s' "$(port mailhog-smtp)"; }

mailhog_runs() {
  case $(backend mailhog) in
    docker) docker_runs mailhog ;;
    source) runs "$SERVICES/mailhog.pid" "$(mailhog_address)" ;;
    *) false ;;
  esac
}

mailhog_ready() {
  mailhog_runs &&
    speaks_smtp "$(port mailhog-smtp)" && speaks_http "$(port mailhog-api)" '/api/v2/messages?limit=1'
}

mailhog_in_docker() {
  docker_answers || return 1
  docker_start mailhog mailhog/mailhog \
    -p "127.0.0.1:$(port mailhog-smtp):1025" -p "127.0.0.1:$(port mailhog-api):8025" || return 1
  keep_backend mailhog docker
  await 120 mailhog "container:$(container mailhog)" mailhog_ready
}

mailhog_from_source() {
  local log=$SERVICES/mailhog.log
  mailhog_build
  say "mailhog: starting on port $(port mailhog-smtp), page and API at $(mailhog_api_url)"
  spawn "$log" "$(mailhog_binary)" -hostname localhost -smtp-bind-addr "$(mailhog_address)" \
    -api-bind-addr "127.0.0.1:$(port mailhog-api)" -ui-bind-addr "127.0.0.1:$(port mailhog-api)"
  echo $! >"$SERVICES/mailhog.pid"
  keep_backend mailhog source
  await 120 mailhog "$log" mailhog_ready
}

mailhog_binary() { echo "$ROOT/.tools/mailhog"; }

mailhog_build() {
  local module=$ROOT/tools/mailhog log=$SERVICES/mailhog.build.log began=$SECONDS
  [[ ! -x $(mailhog_binary) || $module/go.mod -nt $(mailhog_binary) ]] || return 0
  say "mailhog: building from source"
  (cd "$module" && CGO_ENABLED=0 go build -o "$(mailhog_binary)" github.com/mailhog/MailHog) >"$log" 2>&1 ||
    die_with_log "MailHog could not be built" "$log"
  say "mailhog: built in $((SECONDS - began)) s"
}

mailhog_down() {
  case $(backend mailhog) in
    docker) docker_stop mailhog ;;
    source)
      mailhog_runs || return 0
      stop "$SERVICES/mailhog.pid" "$(mailhog_address)" TERM
      ;;
    *) return 0 ;;
  esac
  say "mailhog: stopped"
}
