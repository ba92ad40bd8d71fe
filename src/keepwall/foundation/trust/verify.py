"""The verifying side: believes documents of which only the root's public key is known."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from keepwall.formats import dsse
from keepwall.foundation.trust import canonical
from keepwall.foundation.trust.statement import (
    KEY_BYTES,
    REVOCATIONS_TYPE,
    STATEMENT_FIELD,
    STATEMENT_TYPE,
    KeyStatement,
    Revocations,
    key_id,
)
from keepwall.vocabulary.errors import ConfigError, FormatError, IntegrityError

_REMEMBERED = 256


class Verifier:
    """Checks signed documents against one root; statements that it checked are remembered.

    `revocations` is the envelope that `Trust.revocations` returns. A revoked key is refused for
    every time, because whoever stole it can also write an earlier time.
    """

    def __init__(self, root_public: bytes, *, revocations: bytes = b"") -> None:
        """Raise ConfigError if the root is no Ed25519 key, IntegrityError for a false list."""
        if len(root_public) != KEY_BYTES:
            raise ConfigError(f"a root key has {KEY_BYTES} bytes, not {len(root_public)}")
        self.root_public = root_public
        self._root = Ed25519PublicKey.from_public_bytes(root_public)
        self._statements: dict[bytes, KeyStatement] = {}
        self._revoked = (
            Revocations.decode(self._signed_by_root(revocations, REVOCATIONS_TYPE))
            if revocations
            else Revocations()
        )

    @property
    def revocation_sequence(self) -> int:
        """The number of the list of revoked keys in use, 0 for none; it must never fall."""
        return self._revoked.sequence

    def verify(self, envelope: bytes, *, payload_type: str, role: str, at: datetime) -> bytes:
        """Return the payload of `envelope` if a key of `role` signed it.

        `at` is the time at which the statement of that key must hold: now for an instruction, the
        document's own time for a record.

        Raises:
            IntegrityError: it is damaged, of another type or role, out of time or revoked; the
                message says which.
        """
        document = self._decoded(envelope, payload_type)
        message = dsse.pae(document.payload_type, document.payload)
        reason = "no signature carries a key statement"
        for signature in document.signatures:
            try:
                statement = self._statement(signature)
                self._holds(statement, signature.keyid, role, at)
                key = Ed25519PublicKey.from_public_bytes(statement.key)
                key.verify(signature.sig, message)
            except IntegrityError as error:
                reason = error.message
            except InvalidSignature:
                reason = f"the signature of the {role} key does not match the content"
            else:
                return document.payload
        raise IntegrityError(reason)

    def _decoded(self, envelope: bytes, payload_type: str) -> dsse.SignedEnvelope:
        try:
            document = dsse.decode(envelope)
        except FormatError as error:
            raise IntegrityError(f"not a signed document: {error.message}") from error
        if document.payload_type != payload_type:
            found = document.payload_type[:80]
            raise IntegrityError(f"the document is {found!r}, expected {payload_type!r}")
        return document

    def _signed_by_root(self, envelope: bytes, payload_type: str) -> bytes:
        document = self._decoded(envelope, payload_type)
        message = dsse.pae(document.payload_type, document.payload)
        signature = document.signatures[0]
        if len(document.signatures) > 1 or signature.keyid != key_id(self.root_public):
            raise IntegrityError("signed by another root")
        try:
            self._root.verify(signature.sig, message)
        except InvalidSignature as error:
            raise IntegrityError("the root's signature does not match the content") from error
        return document.payload

    def _statement(self, signature: dsse.Signature) -> KeyStatement:
        extension = signature.extension
        if extension is None or extension.kind != STATEMENT_TYPE:
            raise IntegrityError("a signature without a key statement")
        carried = extension.ext.get(STATEMENT_FIELD)
        try:
            envelope = base64.b64decode(str(carried), validate=True)
        except (binascii.Error, ValueError) as error:
            raise IntegrityError("the key statement is not base64") from error
        if base64.b64encode(envelope).decode() != carried or len(extension.ext) != 1:
            raise IntegrityError("the key statement is not in its canonical spelling")
        if (known := self._statements.get(envelope)) is not None:
            return known
        try:
            canonical.decode(envelope)
            statement = KeyStatement.decode(self._signed_by_root(envelope, STATEMENT_TYPE))
        except (FormatError, IntegrityError) as error:
            raise IntegrityError(f"the key statement is not believed: {error.message}") from error
        if len(self._statements) >= _REMEMBERED:
            self._statements.clear()
        self._statements[envelope] = statement
        return statement

    def _holds(self, statement: KeyStatement, keyid: str, role: str, at: datetime) -> None:
        if keyid != key_id(statement.key):
            raise IntegrityError("the signature names another key than its statement")
        if statement.role != role:
            raise IntegrityError(f"signed by a key of role {statement.role!r}, expected {role!r}")
        if keyid in self._revoked.keys:
            raise IntegrityError(f"the {role} key {keyid[:16]} is revoked")
        if not statement.not_before <= at < statement.not_after:
            raise IntegrityError(
                f"the {role} key {keyid[:16]} holds from {canonical.stamp(statement.not_before)} "
                f"to {canonical.stamp(statement.not_after)}, not at {canonical.stamp(at)}"
            )
