"""What a place is for: product code, or tests, examples and documents beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from keepwall.vocabulary.asset import Asset

WEIGHTS: Mapping[str, float] = {
    "test": 0.2,
    "fixture": 0.2,
    "docs": 0.35,
    "example": 0.4,
    "benchmark": 0.4,
    "vendored": 0.5,
}
"""How much of its exposure a finding keeps beside the product; anything else keeps all of it."""

_FOLDERS: Mapping[str, str] = {
    "test": "test",
    "tests": "test",
    "testing": "test",
    "e2e": "test",
    "__tests__": "test",
    "spec": "test",
    "specs": "test",
    "mocks": "test",
    "__mocks__": "test",
    "fixtures": "fixture",
    "cassettes": "fixture",
    "testdata": "fixture",
    "doc": "docs",
    "docs": "docs",
    "example": "example",
    "examples": "example",
    "cookbook": "example",
    "cookbooks": "example",
    "sample": "example",
    "samples": "example",
    "demo": "example",
    "demos": "example",
    "playground": "example",
    "recipes": "example",
    "benchmark": "benchmark",
    "benchmarks": "benchmark",
    "vendor": "vendored",
    "third_party": "vendored",
    "node_modules": "vendored",
}
_TEST_FILE = re.compile(
    r"(?:test_.{0,200}|.{0,200}_test|conftest)\.py|.{0,200}\.(?:test|spec)\.[jt]sx?"
)


def context_of(path: str, asset: Asset | None = None) -> str:
    """Return a key of `WEIGHTS`, or an empty text for what belongs to the product.

    What discovery says of the asset counts before the path. Only the order of findings follows
    it, for the target decides how it names its folders; severities and the exit code do not.
    """
    named = asset.attributes.get("context", "") if asset else ""
    if named:
        return named if named in WEIGHTS else _FOLDERS.get(named, "")
    *folders, name = path.lower().split("/")
    for folder in folders:
        if folder in _FOLDERS:
            return _FOLDERS[folder]
    return "test" if _TEST_FILE.fullmatch(name) else ""
