#!/usr/bin/env bash
# Install the Keepwall that lies beside this action, from hashed requirements alone.
set -euo pipefail

source=$(cd "$(dirname "$0")/../.." && pwd)
environment=$RUNNER_TEMP/keepwall-environment
python3 -c 'import sys; sys.exit("Keepwall needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
python3 -m venv "$environment"
pip() { "$environment/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
pip install --require-hashes --requirement "$source/requirements/build.txt"
pip install --require-hashes --requirement "$source/requirements/run.txt"
pip install --no-build-isolation --no-deps "$source"
