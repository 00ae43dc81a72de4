#!/usr/bin/env bash
# test.sh [GO_TEST_ARGUMENTS]: every test of every module, or the product's tests that the
# arguments choose. GOTESTSUM names the runner; 'make test' gives it.
#
# SUITE chooses another list of tests, which has a make target of its own:
#   postgres18   what touches the database, on Postgres 18
#   upgrade      programs of an earlier commit beside those of this one
#   bench        the benchmark's, with Redis and Postfix
set -euo pipefail
cd "$(dirname "$0")/.."
: "${GOTESTSUM:?run this as 'make test'}"

# stand_on FOLDER: tests use the set of services there. A test that starts the program must
# not find the settings of the shell it was started from, nor those that the set's env holds
# for work by hand.
stand_on() {
  local name
  # shellcheck disable=SC1090,SC1091 # written by scripts/services.sh
  . "$1/env"
  for name in $(compgen -e | grep '^POSTRIDER_' | grep -vE "$found" || true); do
    unset "$name"
  done
}

found='^POSTRIDER_TEST_' # what tests find in their environment
stand_on .services

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
status=0
runs=0

# run_tests FOLDER GO_TEST_ARGUMENTS…: in that module.
run_tests() {
  local folder=$1
  shift
  runs=$((runs + 1))
  echo "test: $folder: go test ${*//github.com\/postrider\/postrider/.}"
  (cd "$folder" && "$GOTESTSUM" --format standard-quiet --hide-summary=skipped \
    --jsonfile "$results/$runs.json" -- "$@") || status=1
}

# count ACTION: tests that ended so, subtests too.
count() { cat "$results"/*.json | grep -c "\"Action\":\"$1\",\"Package\":\"[^\"]*\",\"Test\":" || true; }

export CGO_ENABLED=1 # the race detector needs it
race=(-race -timeout 30m) # for each package, on a machine that is slow or has other things to do
# Stories wait most of their time, for leases, schedules and outages: on two cores, two at
# a time would leave both idle. Eight keep two slow ones at a load of 17, at which servers
# meet time limits of their own.
stories=("${race[@]}" -parallel 6)

# packages: the product's, but those whose tests have to run by themselves.
packages() { go list ./... | grep -vE '/test$'; }

# Those of the benchmark that need no more than this, and no time.
cheap=(. ./delay ./gate ./measure ./report ./result ./sink)

everything() {
  local all
  run_tests tools/composecheck ./...
  run_tests bench "${race[@]}" "${cheap[@]}"
  IFS=$'\n' read -r -d '' -a all < <(packages && printf '\0')
  run_tests . "${race[@]}" "${all[@]}"
  scripts/services.sh --name smoke down # that of the short run of chaos
  # Of the story that restarts a broker: beside other stories its first start can take minutes.
  scripts/services.sh --name broker up
  run_tests . "${stories[@]}" ./test
  # These kill the broker or hold it still, so they get that one too.
  stand_on .services-broker
  run_tests . "${race[@]}" -tags brokerfaults -run '^TestNode' ./internal/rabbitmq
  scripts/services.sh --name broker down
}

# on_postgres18: the store's own suite and the stories. Those told in both modes are left
# to 'make test' for the embedded one, which is on SQLite and knows no Postgres.
on_postgres18() {
  scripts/postgres18.sh up
  trap 'scripts/postgres18.sh down; rm -rf "$results"' EXIT
  POSTRIDER_TEST_DATABASE_URL=$(scripts/postgres18.sh url)
  export POSTRIDER_TEST_DATABASE_URL
  run_tests . "${race[@]}" -skip 'SQLite|/sqlite$' ./internal/store ./internal/app
  run_tests . "${stories[@]}" -skip '/embedded$' ./test
  scripts/services.sh --name broker down # that of a story
}

# on_bench: peers share queues and tables by name, so one package at a time.
on_bench() {
  scripts/services.sh redis-up
  scripts/services.sh postfix-install
  found='^POSTRIDER_(TEST|BENCH)_'
  stand_on .services
  run_tests bench "${race[@]}" -p 1 ./...
}

case ${SUITE:-} in
  '') if [[ $# -gt 0 ]]; then run_tests . "${race[@]}" "$@"; else everything; fi ;;
  postgres18) on_postgres18 ;;
  bench) on_bench ;;
  upgrade) run_tests . "${stories[@]}" -tags upgrade -run '^TestUpgrade' ./test ;;
  *) echo "test: no suite '$SUITE'" >&2 && exit 2 ;;
esac

skipped=$(count skip)
unbuilt=$(cat "$results"/*.json | grep -c '"FailedBuild":' || true)
if [[ ${CI:-} == true && $skipped -gt 0 ]]; then
  echo "test: in CI a skipped test counts as failed:"
  grep -ho '"Action":"skip","Package":"[^"]*","Test":"[^"]*"' "$results"/*.json
  status=1
fi
echo "$(count pass) passed, $(($(count fail) + unbuilt)) failed, $skipped skipped"
exit "$status"
