#!/usr/bin/env bash
# sdk.sh: installs Resend's SDK for Node into test/sdk, as the lockfile there pins it, for
# the stories that drive it, and the driver for Postgres that an example of the docs
# imports. Does nothing when that is done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../test/sdk"

die() {
  printf 'sdk: error: %s\n' "$*" >&2
  exit 1
}

remedy='Remedy: install Node.js 20 or later with npm, from your system or https://nodejs.org'
command -v node >/dev/null || die "node is missing, and stories drive Resend's SDK for it. $remedy"
command -v npm >/dev/null || die "npm is missing, and Resend's SDK for Node comes by it. $remedy"
major=$(node -p 'process.versions.node.split(".")[0]')
((major >= 20)) || die "node is $(node --version), and Resend's SDK needs 20 or later. $remedy"

# Two test binaries at once would install into one folder.
if command -v flock >/dev/null; then
  exec 9>.lock
  flock -w 300 9 || die "another run has held test/sdk/.lock for 5 minutes"
fi
installed=node_modules/.installed-from
if cmp -s package-lock.json "$installed"; then
  exit 0
fi
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
  die "npm could not install what test/sdk/package-lock.json names. Remedy: give npm a registry that it can reach (npm config get registry)"
cp package-lock.json "$installed"
