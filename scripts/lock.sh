#!/usr/bin/env bash
# Write the locked, hashed requirements that every installation uses. Pins stay as they are unless
# --upgrade (or --upgrade-package NAME) is given. The files name no address of any registry.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=build/tools/lock/bin/uv
scripts/tool.sh lock

lock() { # lock OUTPUT ARGUMENT...
  local output=requirements/$1.txt
  shift
  "$uv" pip compile --quiet --python-version 3.11 --python-platform linux --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --system-certs \
    --output-file "$output" "$@"
  echo "$output: $(grep -c '==' "$output") packages" >&2
}

lock run pyproject.toml --all-extras "$@"
lock test pyproject.toml --all-extras --group dev --constraint requirements/run.txt "$@"
lock build --group build --constraint requirements/test.txt "$@"
lock lock --group lock "$@"
lock node --group node "$@"

if grep -n '://\| @ ' requirements/*.txt; then
  echo "lock: a requirement names an address; see above" >&2
  exit 1
fi
