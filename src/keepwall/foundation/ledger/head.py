"""Signed tree heads: what a log held at a time, in 32 bytes that nobody else can sign."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from keepwall.formats import dsse
from keepwall.foundation.ledger.merkle import HASH_BYTES
from keepwall.foundation.trust import canonical
from keepwall.foundation.trust.signer import Signer
from keepwall.foundation.trust.verify import Verifier
from keepwall.vocabulary.errors import FormatError, IntegrityError

HEAD_TYPE = "application/vnd.keepwall.tree-head.v1+json"
LEDGER_ROLE = "ledger"


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The log `origin` had `size` records with this root at that time; `envelope` is the proof."""

    origin: str
    size: int
    root: bytes
    at: datetime
    envelope: bytes = field(repr=False)

    @classmethod
    def sign(cls, signer: Signer, origin: str, size: int, root: bytes, at: datetime) -> SignedHead:
        """Return the head of a log, signed."""
        stamp = canonical.stamp(at)
        payload = canonical.encode(
            {"at": stamp, "origin": origin, "root": root.hex(), "size": size}
        )
        return cls(origin, size, root, canonical.instant(stamp), signer.sign(HEAD_TYPE, payload))

    @classmethod
    def verified(cls, envelope: bytes, verifier: Verifier) -> SignedHead:
        """Return the head in `envelope`.

        The key must have been valid at the head's own time: a record outlives the key.

        Raises:
            IntegrityError: it is not a head that a ledger key of this root signed.
        """
        try:
            found = canonical.decode_object(
                dsse.decode(envelope).payload, "at", "origin", "root", "size"
            )
            head = cls(
                origin=str(found["origin"]),
                size=found["size"],
                root=canonical.unhex(found["root"], HASH_BYTES),
                at=canonical.instant(found["at"]),
                envelope=envelope,
            )
        except FormatError as error:
            raise IntegrityError(f"not a tree head: {error.message}") from error
        if type(head.size) is not int or head.size < 0:
            raise IntegrityError("not a tree head: its size is no number")
        verifier.verify(envelope, payload_type=HEAD_TYPE, role=LEDGER_ROLE, at=head.at)
        return head
