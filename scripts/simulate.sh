#!/usr/bin/env bash
# simulate.sh: the delivery protocol under a scheduler that a seed drives. Settings, all in
# the environment: SEEDS and FROM choose the seeds, STORE is memory, sqlite or postgres, SEED
# shows one seed step by step (TAIL: only its last lines), MUTANT takes a guard away.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ ${STORE:-memory} == postgres && -z ${POSTRIDER_TEST_DATABASE_URL:-} ]]; then
  scripts/services.sh up
  # shellcheck disable=SC1091 # written by 'make services'
  . .services/env
fi
mkdir -p bin
CGO_ENABLED=0 go test -c -o bin/simulate.test ./internal/simulate
exec env SIMULATE=command bin/simulate.test
