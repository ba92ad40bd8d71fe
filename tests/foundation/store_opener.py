"""Opens the store named by its argument when told to: a process for the tests to race or kill."""

from __future__ import annotations

import sys

from keepwall.foundation.store.store import Store

print("ready", flush=True)  # noqa: T201 - how the test is told
sys.stdin.readline()
Store.open(sys.argv[1]).close()
print("opened", flush=True)  # noqa: T201 - how the test is told
