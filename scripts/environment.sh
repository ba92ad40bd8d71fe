#!/usr/bin/env bash
# Make a virtual environment where there is none. Debian keeps what that needs in a package of its
# own, which is installed when it is missing.
#   PYTHON=python3.12 scripts/environment.sh .venv
set -euo pipefail
cd "$(dirname "$0")/.."

home=$1
python=${PYTHON:-python3}
if [ -x "$home/bin/python" ] && "$home/bin/python" -m pip --version >/dev/null 2>&1; then
  exit 0
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "Keepwall needs Python 3.11 or newer; set PYTHON to one (this is $("$python" -V 2>&1))" >&2
  exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  scripts/debian.sh python3-venv
fi
"$python" -m venv --clear "$home"
