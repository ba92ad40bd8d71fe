#!/usr/bin/env bash
# Install Debian packages, with sudo where we are not root. Asks nothing.
#   scripts/debian.sh PACKAGE...
set -euo pipefail

if ! command -v apt-get >/dev/null; then
  echo "this machine has no apt; install the equivalent of: $*" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "not root, and there is no sudo; as root: apt-get install $*" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "installing Debian packages: $*" >&2
apt() {
  # The output tells something only when it fails.
  local log
  log=$(mktemp)
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}
apt update
apt install --yes --no-install-recommends "$@"
