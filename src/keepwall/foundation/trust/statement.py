"""What the root says about other keys: key statements and the list of revoked keys."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from keepwall.foundation.trust import canonical
from keepwall.vocabulary.errors import ConfigError, FormatError

STATEMENT_TYPE = "application/vnd.keepwall.key-statement.v1+json"
REVOCATIONS_TYPE = "application/vnd.keepwall.key-revocations.v1+json"
STATEMENT_FIELD = "statement"
"""Where the DSSE extension of kind `STATEMENT_TYPE` holds the statement, in base64."""
KEY_BYTES = 32
_ROLE = re.compile(r"[a-z][a-z0-9-]{0,63}(/[A-Za-z0-9_-]{1,128})?")


def key_id(public: bytes) -> str:
    """Return the name of a public key: SHA-256 of its 32 bytes, in hex digits."""
    return hashlib.sha256(public).hexdigest()


def checked_role(role: str) -> str:
    """Return `role`: a word (``control``) or a word and a name (``node/n1``).

    Raises:
        ConfigError: it is neither.
    """
    if not _ROLE.fullmatch(role):
        raise ConfigError(f"{role!r} is not a role such as control or node/n1")
    return role


@dataclass(frozen=True, slots=True)
class KeyStatement:
    """The root says: this key acts as `role` from `not_before` until just before `not_after`."""

    role: str
    key: bytes
    not_before: datetime
    not_after: datetime

    def encode(self) -> bytes:
        """Return the payload that the root signs."""
        return canonical.encode(
            {
                "key": self.key.hex(),
                "notAfter": canonical.stamp(self.not_after),
                "notBefore": canonical.stamp(self.not_before),
                "role": self.role,
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> KeyStatement:
        """Return the statement in a payload whose signature was checked.

        Raises:
            FormatError: it is not a statement.
        """
        found = canonical.decode_object(payload, "key", "notAfter", "notBefore", "role")
        if not isinstance(role := found["role"], str):
            raise FormatError("a role that is not text")
        return cls(
            role=role,
            key=canonical.unhex(found["key"], KEY_BYTES),
            not_before=canonical.instant(found["notBefore"]),
            not_after=canonical.instant(found["notAfter"]),
        )


@dataclass(frozen=True, slots=True)
class Revocations:
    """Keys that nobody believes any more; `sequence` only rises, so an older list shows."""

    sequence: int = 0
    keys: frozenset[str] = frozenset()

    def encode(self) -> bytes:
        """Return the payload that the root signs."""
        return canonical.encode({"keys": sorted(self.keys), "sequence": self.sequence})

    @classmethod
    def decode(cls, payload: bytes) -> Revocations:
        """Return the list in a payload whose signature was checked.

        Raises:
            FormatError: it is not a list of key ids.
        """
        found = canonical.decode_object(payload, "keys", "sequence")
        keys, sequence = found["keys"], found["sequence"]
        if not isinstance(keys, list) or type(sequence) is not int:
            raise FormatError("not a list of revoked keys")
        return cls(sequence, frozenset(canonical.unhex(each, KEY_BYTES).hex() for each in keys))
