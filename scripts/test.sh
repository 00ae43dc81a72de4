#!/usr/bin/env bash
# test.sh [GO_TEST_ARGUMENTS]: every test of every module, or the product's tests that the
# arguments choose. GOTESTSUM names the runner; 'make test' gives it.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${GOTESTSUM:?run this as 'make test'}"

# A test that starts the program must not find the settings of the shell it was started
# from, nor those that .services/env holds for work by hand.
# shellcheck disable=SC1091 # written by 'make services'
. .services/env
for name in $(compgen -e | grep '^POSTRIDER_' | grep -v '^POSTRIDER_TEST_' || true); do
  unset "$name"
done

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
status=0

# run_tests FOLDER GO_TEST_ARGUMENTS…: in that module.
run_tests() {
  local folder=$1
  shift
  echo "test: $folder: go test $*"
  (cd "$folder" && "$GOTESTSUM" --format standard-quiet --hide-summary=skipped \
    --jsonfile "$results/module-${folder//\//-}.json" -- "$@") || status=1
}

# count ACTION: tests that ended so, subtests too.
count() { cat "$results"/*.json | grep -c "\"Action\":\"$1\",\"Package\":\"[^\"]*\",\"Test\":" || true; }

if [[ $# -gt 0 ]]; then
  CGO_ENABLED=1 run_tests . -race -timeout 20m "$@"
else
  run_tests tools/composecheck ./...
  CGO_ENABLED=1 run_tests . -race -timeout 20m ./...
fi

skipped=$(count skip)
unbuilt=$(cat "$results"/*.json | grep -c '"FailedBuild":' || true)
if [[ ${CI:-} == true && $skipped -gt 0 ]]; then
  echo "test: in CI a skipped test counts as failed:"
  grep -ho '"Action":"skip","Package":"[^"]*","Test":"[^"]*"' "$results"/*.json
  status=1
fi
echo "$(count pass) passed, $(($(count fail) + unbuilt)) failed, $skipped skipped"
exit "$status"
