# shellcheck shell=bash
# Postfix, which the benchmark measures as a peer, with its smtp-source. It is installed
# and never started here: the benchmark runs an instance of its own. Sourced by services.sh.

postfix_install() {
  if command -v postfix >/dev/null && command -v smtp-source >/dev/null; then
    say "postfix: is installed"
    return
  fi
  can_install || die "postfix missing, and this machine has no apt-get with root or sudo. Remedy: install it yourself"
  postfix_answers | privileged debconf-set-selections
  install_packages postfix
}

# postfix_answers: a mail system that receives nothing and sends nowhere.
postfix_answers() {
  echo 'postfix postfix/main_mailer_type select No configuration'
}
