# shellcheck shell=bash
# The system's packages, installed without starting what they bring. Sourced by services.sh.

POLICY=/usr/sbin/policy-rc.d

privileged() {
  if am_root; then "$@"; else sudo "$@"; fi
}

can_install() {
  command -v apt-get >/dev/null && { am_root || command -v sudo >/dev/null; }
}

# install_packages PACKAGE…
install_packages() {
  local log=$SERVICES/apt.log began=$SECONDS failed=''
  can_install || die "$* missing, and this machine has neither a Docker engine that answers" \
    "nor apt-get with root or sudo. Remedy: start Docker, install $* yourself," \
    "or point POSTRIDER_TEST_* at running services"
  say "installing $* from the system's packages"
  forbid_starts
  trap allow_starts EXIT
  { apt update && apt install -y --no-install-recommends "$@"; } >"$log" 2>&1 || failed=yes
  allow_starts
  trap - EXIT
  [[ -z $failed ]] || die_with_log "apt-get could not install $*" "$log"
  say "installed $* in $((SECONDS - began)) s"
}

# apt runs apt-get, waiting for another package manager that holds the lock.
apt() {
  privileged env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# Debian asks policy-rc.d before a package starts its daemon; 101 answers no. A policy
# that was there before is put aside and comes back.
forbid_starts() {
  [[ ! -e $POLICY ]] || privileged mv -f "$POLICY" "$POLICY.postrider"
  printf '#!/bin/sh\nexit 101\n' | privileged tee "$POLICY" >/dev/null
  privileged chmod 755 "$POLICY"
}

allow_starts() {
  privileged rm -f "$POLICY"
  [[ ! -e $POLICY.postrider ]] || privileged mv -f "$POLICY.postrider" "$POLICY"
}

# The race detector is C underneath.
ensure_c_compiler() {
  local compiler
  compiler=$(go env CC) || die "Go is missing; install it from https://go.dev/dl"
  # shellcheck disable=SC2086 # CC may hold arguments
  ! echo '#include <stdlib.h>' | $compiler -E - >/dev/null 2>&1 || return 0
  install_packages gcc libc6-dev
}

# The documentation's examples are run as they stand there, in their languages.
ensure_interpreters() {
  local missing=()
  command -v curl >/dev/null || missing+=(curl ca-certificates)
  command -v python3 >/dev/null || missing+=(python3)
  [[ ${#missing[@]} -eq 0 ]] || install_packages "${missing[@]}"
  command -v node >/dev/null || die "Node is missing; install it from https://nodejs.org"
}
