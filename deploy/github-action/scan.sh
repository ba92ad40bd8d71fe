#!/usr/bin/env bash
# Scan, write SARIF and a summary of the job, and end with the exit code of the scan.
set -uo pipefail

keepwall=${KEEPWALL_PROGRAM:-$RUNNER_TEMP/keepwall-environment/bin/keepwall}
export KEEPWALL_STATE=$RUNNER_TEMP/keepwall-state
sarif=$RUNNER_TEMP/keepwall.sarif
options=(--no-store --fail-on "$KEEPWALL_FAIL")
[ -z "$KEEPWALL_BASELINE" ] || options+=(--baseline "$KEEPWALL_BASELINE")
[ -z "$KEEPWALL_TRUSTED" ] || options+=(--config "$KEEPWALL_TRUSTED")

"$keepwall" scan "${options[@]}" --format sarif --output "$sarif" -- "$KEEPWALL_PATH"
code=$?
# What did not change is not read twice, so this costs little.
table=$("$keepwall" scan "${options[@]}" -- "$KEEPWALL_PATH" 2>&1)
{
  echo "### Keepwall"
  echo
  # Indented, so that names of files in a hostile repository stay text.
  sed 's/^/    /' <<<"$table"
} >>"$GITHUB_STEP_SUMMARY"
# What is printed must not be taken for commands to the runner ("::add-path::…").
pause=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf '::stop-commands::%s\n%s\n::%s::\n' "$pause" "$table" "$pause"
{
  echo "sarif=$sarif"
  echo "exit-code=$code"
} >>"$GITHUB_OUTPUT"
exit "$code"
