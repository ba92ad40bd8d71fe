"""What a place in a tree is for: production, tests, documentation or examples."""

from __future__ import annotations

import re
from collections.abc import Iterable

from keepwall.vocabulary.asset import Location

_KINDS = (
    ("test", re.compile(r"(?:tests?|testing|__tests__|spec|specs|e2e|fixtures|mocks|__mocks__)\Z")),
    ("docs", re.compile(r"(?:docs?|documentation|doc[-_]src|website|tutorials?)\Z")),
    ("example", re.compile(r"(?:examples?|samples?|demos?|cookbooks?|playground|recipes)\Z")),
)
_TEST_FILE = re.compile(r"(?:test_.*|.*_tests?|conftest|.*\.(?:test|spec|stories))\.\w+\Z")


def path_context(path: str) -> str:
    """Return ``test``, ``docs`` or ``example`` by the folders and name of `path`, else empty."""
    *folders, name = path.lower().split("/")
    if _TEST_FILE.match(name):
        return "test"
    for context, pattern in _KINDS:
        if any(pattern.match(folder) for folder in folders):
            return context
    return ""


def shared_context(places: Iterable[Location]) -> str:
    """Return the context that all of `places` are in; empty where one of them is production."""
    found = {path_context(each.path) for each in places}
    if not found or "" in found:
        return ""
    return next(name for name in ("example", "docs", "test") if name in found)
