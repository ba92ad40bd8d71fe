#!/usr/bin/env bash
# Install Keepwall into .venv, from hashed requirements alone, and do nothing where it is done.
#   scripts/setup.sh run     what a user needs
#   scripts/setup.sh test    and what the tests need, system packages included
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=$1
python=.venv/bin/python
static=src/keepwall/server/console/static/vendor/htmx.min.js

pip_install() {
  "$python" -m pip install --quiet --disable-pip-version-check --no-warn-script-location "$@"
}

scripts/environment.sh .venv
fingerprint=$(cat pyproject.toml requirements/build.txt "requirements/$purpose.txt" | sha256sum)
if [ "$(cat ".venv/.$purpose" 2>/dev/null)" != "$fingerprint" ]; then
  echo "installing requirements/$purpose.txt into .venv" >&2
  pip_install --require-hashes --requirement requirements/build.txt
  pip_install --require-hashes --requirement "requirements/$purpose.txt"
  # The build backend is the hashed one from above: isolation would fetch another, unhashed.
  pip_install --no-build-isolation --no-deps --editable .
  echo "$fingerprint" >".venv/.$purpose"
fi

if [ ! -s "$static" ] || [ package-lock.json -nt "$static" ]; then
  if ! command -v npm >/dev/null; then
    scripts/tool.sh node
    PATH=$PWD/build/tools/node/bin:$PATH
  fi
  npm_config_update_notifier=false scripts/frontend.sh
fi

if [ "$purpose" = test ]; then
  missing=()
  [ -x /usr/bin/chromium ] || missing+=(chromium)
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
  compgen -G '/usr/lib/*/libatomic.so.1' >/dev/null || missing+=(libatomic1) # Playwright's driver
  command -v git >/dev/null || missing+=(git)
  if [ ${#missing[@]} -gt 0 ]; then
    scripts/debian.sh "${missing[@]}"
  fi
fi
