#!/usr/bin/env bash
# bench.sh PLAN [ARGUMENTS]: builds the benchmark and runs a plan of it on the services of
# this checkout; 'make bench' starts those. bin/bench -help lists the arguments.
set -euo pipefail
cd "$(dirname "$0")/.."
plan=${1:?name a plan}
shift

scripts/services.sh redis-up
if [[ $plan == full ]]; then
  # A run without Postfix says so, and has all others.
  scripts/services.sh postfix-install || echo "bench: going on without Postfix" >&2
fi
# shellcheck disable=SC1091 # written by 'make services'
. .services/env
(cd bench && CGO_ENABLED=0 go build -trimpath -o ../bin/bench .)

target=bench-$plan
export BENCH_COMMAND="make ${target%-quick}${*:+ ARGS='$*'}"
exec bin/bench -plan "$plan" -out "bin/bench-$plan.json" "$@"
