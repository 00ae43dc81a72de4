#!/usr/bin/env bash
# Formatting, vet, staticcheck and the import graph in every module; the shell scripts too
# where shellcheck is installed. GOLANGCI_LINT names the linter; 'make lint' gives it.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${GOLANGCI_LINT:?run this as 'make lint'}"
export CGO_ENABLED=0

status=0
while IFS= read -r module; do
  echo "lint: ${module%go.mod}"
  (cd "$(dirname "$module")" && "$GOLANGCI_LINT" run --config "$OLDPWD/.golangci.yml" ./...) || status=1
done < <(git ls-files 'go.mod' '*/go.mod' | grep -v '^tools/mailhog/')

if command -v shellcheck >/dev/null; then
  echo "lint: shell scripts"
  shellcheck -x scripts/*.sh .ci/run || status=1
else
  echo "lint: shellcheck is not installed, so the shell scripts are not checked"
fi
exit "$status"
