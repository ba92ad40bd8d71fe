"""Between words and columns: JSON bodies, fixed-size keys and the text that is searched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from keepwall.vocabulary.errors import IntegrityError

T = TypeVar("T")

NEEDLE_LIMIT = 200
"""Characters of a search that count; SQLite refuses patterns of more than 50 000 bytes."""
HAYSTACK_LIMIT = 4000
"""Characters of one row that are searched."""


def encode(value: object) -> str:
    """Return `value` as JSON text.

    Names of files on Linux need not be Unicode and arrive with lone surrogates; these are kept,
    as JSON escapes.
    """
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":"))


def decode(text: str, kind: type[T]) -> T:
    """Return the `kind` that `encode` wrote.

    Raises:
        IntegrityError: the stored text is not such a value.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError:  # lone surrogates, or damage
        try:
            return msgspec.convert(json.loads(text), kind)
        except (ValueError, msgspec.ValidationError, RecursionError) as error:
            raise IntegrityError(f"a stored {kind.__name__} cannot be read back") from error


def key(*parts: str) -> str:
    """Return 32 hex digits that stand for `parts` in an index.

    Ids carry paths, commands and URLs of any length and with any byte in them; PostgreSQL's
    indexes end at 2 704 bytes and its text knows no NUL.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


def plain(text: str) -> str:
    """Return `text` as both databases can hold it, odd code points written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def haystack(parts: Iterable[str]) -> str:
    """Return the text of a row that a search looks into, case folded."""
    return plain("\n".join(parts)[:HAYSTACK_LIMIT].casefold())


def needle(search: str) -> str:
    """Return a search as it is compared with a haystack."""
    return plain(search.strip()[:NEEDLE_LIMIT].casefold())
