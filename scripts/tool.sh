#!/usr/bin/env bash
# Install one tool from its hashed requirements into an environment of its own, away from Keepwall's:
#   scripts/tool.sh lock    → build/tools/lock/bin
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1
home=build/tools/$name
requirements=requirements/$name.txt
stamp=$home/.installed
if cmp -s "$requirements" "$stamp"; then
  exit 0
fi
scripts/environment.sh "$home"
"$home/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
  --requirement "$requirements"
cp "$requirements" "$stamp"
