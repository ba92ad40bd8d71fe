#!/usr/bin/env bash
# What `make run` shows: this machine and the demo project are scanned, then the console starts.
# Findings (exit code 1) and unreadable parts (3) are answers here; anything else is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

port=${1:-8740}
keepwall=.venv/bin/keepwall

look() {
  local code=0
  echo "\$ keepwall $*"
  "$keepwall" "$@" || code=$?
  echo "(exit code $code: $(meaning "$code"))"
  echo
  case $code in 0 | 1 | 3) ;; *) exit "$code" ;; esac
}

meaning() {
  case $1 in
    0) echo "nothing at or over --fail-on" ;;
    1) echo "findings at or over --fail-on" ;;
    3) echo "nothing to fail on, but some parts could not be read" ;;
    *) echo "it failed" ;;
  esac
}

look scan host
look scan demo
echo "\$ keepwall up demo host --port $port"
exec "$keepwall" up demo host --port "$port"
