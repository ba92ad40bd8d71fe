"""One spelling per value: the JSON, hex digits and times inside signed documents.

A value has exactly one encoding here and anything else is refused, so one changed byte of a
signed document is either a broken signature or a refused spelling.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from keepwall.vocabulary.errors import FormatError


def encode(value: Any) -> bytes:
    """Return `value` as ASCII JSON with sorted keys and without spaces.

    Raises:
        FormatError: it holds something that JSON has no place for.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"cannot be written as JSON ({error})") from error


def decode(data: bytes) -> Any:
    """Return the value in `data`, which must be spelled exactly as `encode` spells it.

    Raises:
        FormatError: it is not JSON, or not in the canonical spelling (duplicate keys are not).
    """
    try:
        value = json.loads(data.decode())
    except RecursionError as error:
        raise FormatError("nested too deeply") from error
    except ValueError as error:
        raise FormatError(f"not JSON ({error})") from error
    if encode(value) != data:
        raise FormatError("not in the canonical spelling")
    return value


def decode_object(data: bytes, *keys: str) -> dict[str, Any]:
    """Return the object in `data`, which must have exactly `keys`.

    Raises:
        FormatError: it is anything else.
    """
    value = decode(data)
    if not isinstance(value, dict) or value.keys() != set(keys):
        raise FormatError(f"not an object of {', '.join(keys)}")
    return value


def unhex(value: Any, length: int) -> bytes:
    """Return the `length` bytes that `value` spells in lower-case hex digits.

    Raises:
        FormatError: it does not.
    """
    try:
        raw = bytes.fromhex(value)
    except (TypeError, ValueError) as error:
        raise FormatError("not hex digits") from error
    if len(raw) != length or raw.hex() != value:
        raise FormatError(f"not {length} bytes in lower-case hex digits")
    return raw


def stamp(at: datetime) -> str:
    """Return `at` in UTC with microseconds, as RFC 3339 writes it.

    Raises:
        FormatError: it has no time zone, so nobody can say when it is.
    """
    if at.tzinfo is None:
        raise FormatError("a time without a time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def instant(value: Any) -> datetime:
    """Return the time that `stamp` wrote.

    Raises:
        FormatError: it is spelled in any other way.
    """
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise FormatError("not a time") from error
    if stamp(at) != value:
        raise FormatError("not a time in UTC with microseconds")
    return at
