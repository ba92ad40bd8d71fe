"""SPIFFE IDs, as the SPIFFE-ID standard writes them (section 2); nothing is normalised."""

from __future__ import annotations

import string

from keepwall.vocabulary.errors import FormatError

MOST_BYTES = 2048
"""Of a whole SPIFFE ID (section 2.3)."""
MOST_TRUST_DOMAIN = 255
_SCHEME = "spiffe://"
_DOMAIN = frozenset(string.ascii_lowercase + string.digits + ".-_")
_SEGMENT = frozenset(string.ascii_letters + string.digits + ".-_")


def checked_spiffe_id(text: str) -> str:
    """Return `text`, which is a SPIFFE ID: ``spiffe://<trust domain>[/<segment>…]``.

    Raises:
        FormatError: it is not; says which part.
    """
    if not text.startswith(_SCHEME):
        raise FormatError(f"{text[:80]!r} does not begin with {_SCHEME}")
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise FormatError(f"a SPIFFE ID has at most {MOST_BYTES} bytes")
    if "?" in text or "#" in text:
        raise FormatError("a SPIFFE ID has no query and no fragment")
    domain, slash, path = text.removeprefix(_SCHEME).partition("/")
    if not 0 < len(domain) <= MOST_TRUST_DOMAIN or not set(domain) <= _DOMAIN:
        raise FormatError(
            f"{domain[:80]!r} is no trust domain",
            hint=f"1 to {MOST_TRUST_DOMAIN} of a-z, 0-9, dot, dash and underscore",
        )
    for segment in path.split("/") if slash else ():
        if not segment:
            raise FormatError("a path with an empty segment, or a slash at its end")
        if segment in (".", "..") or not set(segment) <= _SEGMENT:
            raise FormatError(
                f"{segment[:80]!r} is no path segment",
                hint="letters, digits, dot, dash and underscore, but not . or ..",
            )
    return text
