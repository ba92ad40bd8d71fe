#!/bin/sh
# Fetch the front-end libraries that package-lock.json pins by integrity, and place the minified
# files where the console serves them and the wheel carries them. Nothing of them is committed.
set -eu
cd "$(dirname "$0")/.."

vendor=src/keepwall/server/console/static/vendor
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

rm -rf "$vendor"
mkdir -p "$vendor"
# One file: htmx starts in a timeout of its own, and its extension must have registered by then.
# Without the comments that point at source maps, which are not served.
cat node_modules/htmx.org/dist/htmx.min.js node_modules/htmx.org/dist/ext/hx-sse.min.js |
  sed 's|//# sourceMappingURL=.*$||' >"$vendor/htmx.min.js"
cp node_modules/htmx.org/LICENSE "$vendor/htmx.LICENSE.txt"
cp node_modules/cytoscape/dist/cytoscape.min.js "$vendor/cytoscape.min.js"
cp node_modules/cytoscape/LICENSE "$vendor/cytoscape.LICENSE.txt"
echo "front end: $(cat "$vendor"/*.js | wc -c) bytes of scripts in $vendor" >&2
