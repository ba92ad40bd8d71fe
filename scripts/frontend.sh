#!/bin/sh
# Fetch the front-end libraries that package-lock.json pins by integrity, and place the minified
# files where the console serves them and the wheel carries them. Nothing of them is committed.
set -eu
cd "$(dirname "$0")/.."

vendor=src/keepwall/server/console/static/vendor
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

mkdir -p "$vendor"
cp node_modules/htmx.org/dist/htmx.min.js "$vendor/htmx.min.js"
cp node_modules/htmx.org/dist/ext/hx-sse.min.js "$vendor/hx-sse.min.js"
cp node_modules/htmx.org/LICENSE "$vendor/htmx.LICENSE.txt"
# Debug comments that point at source maps which are not served.
for file in "$vendor"/*.min.js; do
  grep -v '^//# sourceMappingURL=' "$file" >"$file.tmp" && mv "$file.tmp" "$file"
done
echo "front end: $(ls "$vendor" | wc -l) files in $vendor" >&2
