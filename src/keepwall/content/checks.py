"""Checks of a candidate value, after its pattern matched: each returns whether it can be real."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping

_MAX_CHECKED = 4096
_MIN_DIGITS = 2
_WORDS = re.compile(r"[A-Za-z]{2,}")
_LONG_WORD_SHARE = 0.75
_IDENTIFIER = re.compile(r"[a-z]+(?:[_.-][a-z0-9]+)+|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F-]+")


def shannon(value: str) -> float:
    """Return the Shannon entropy of the characters of `value`, in bits per character."""
    size = len(value)
    counts = Counter(value).values()
    return -sum(count / size * math.log2(count / size) for count in counts) if size else 0.0


def entropy(value: str, least: float) -> bool:
    """Return whether `value` has at least `least` bits per character."""
    return shannon(value[:_MAX_CHECKED]) >= least


def mixed(value: str, least: float) -> bool:
    """Return whether `value` has entropy, letters and digits: a random token and not a name."""
    digits = sum(character.isdigit() for character in value)
    letters = sum(character.isalpha() for character in value)
    if digits < _MIN_DIGITS or letters < _MIN_DIGITS or _IDENTIFIER.fullmatch(value):
        return False
    longest = max((len(word) for word in _WORDS.findall(value)), default=0)
    return longest < len(value) * _LONG_WORD_SHARE and entropy(value, least)


def aws_secret(value: str, least: float) -> bool:
    """Return whether 40 base64 characters can be an AWS secret: both cases and digits."""
    return (
        any(character.islower() for character in value)
        and any(character.isupper() for character in value)
        and mixed(value, least)
    )


def jwt(value: str, least: float) -> bool:
    """Return whether the first part of `value` is a JOSE header with an algorithm (RFC 7515)."""
    head, _, rest = value.partition(".")
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header and entropy(rest, least)


def basic_auth(value: str, least: float) -> bool:
    """Return whether `value` is base64 of ``user:password`` with some entropy (RFC 7617)."""
    try:
        user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return False
    return bool(user and colon and password) and entropy(password, least)


def not_hexadecimal(value: str, least: float) -> bool:
    """Return whether `value` is `mixed` and not a digest or UUID, which are rarely secret."""
    return not _HEXADECIMAL.fullmatch(value) and mixed(value, least)


CHECKS: Mapping[str, Callable[[str, float], bool]] = {
    "entropy": entropy,
    "mixed": mixed,
    "aws-secret": aws_secret,
    "jwt": jwt,
    "basic-auth": basic_auth,
    "not-hexadecimal": not_hexadecimal,
}
"""The checks by the names that the catalogue uses."""
