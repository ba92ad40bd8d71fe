"""A role's key, which signs documents that verify with nothing but the root's public key."""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keepwall.formats import dsse
from keepwall.foundation.trust import canonical
from keepwall.foundation.trust.files import read_private
from keepwall.foundation.trust.installed import key_file
from keepwall.foundation.trust.statement import (
    KEY_BYTES,
    STATEMENT_FIELD,
    STATEMENT_TYPE,
    KeyStatement,
    key_id,
)
from keepwall.vocabulary.errors import FormatError, IntegrityError


class Signer:
    """Signs as one role; made by `Trust.signer`, or on a node from a key the root certified.

    `statement` is the envelope that `Trust.certify` returned for the public key of `private`.
    """

    def __init__(self, private: Ed25519PrivateKey, statement: bytes, root_public: bytes) -> None:
        """Raise IntegrityError if the statement is about another key."""
        self._private = private
        self._carried = base64.b64encode(statement).decode()
        self._statement = KeyStatement.decode(dsse.decode(statement).payload)
        self.root_public = root_public
        self.public = private.public_key().public_bytes_raw()
        if self._statement.key != self.public:
            raise IntegrityError("the key statement is about another key")

    @property
    def role(self) -> str:
        """What this key may sign as."""
        return self._statement.role

    @property
    def key_id(self) -> str:
        """The name of this key in documents, revocations and logs."""
        return key_id(self.public)

    @property
    def valid_until(self) -> datetime:
        """When documents of this key stop to verify; ask `Trust.signer` again well before."""
        return self._statement.not_after

    def sign(self, payload_type: str, payload: bytes) -> bytes:
        """Return a DSSE envelope of `payload` that carries the statement of this key."""
        signature = dsse.Signature(
            sig=self._private.sign(dsse.pae(payload_type, payload)),
            keyid=self.key_id,
            extension=dsse.Extension(STATEMENT_TYPE, {STATEMENT_FIELD: self._carried}),
        )
        return dsse.encode(dsse.SignedEnvelope(payload_type, payload, (signature,)))

    def encode(self) -> bytes:
        """Return the private key with its statement, for a file that only this user can read."""
        return canonical.encode(
            {
                "private": self._private.private_bytes_raw().hex(),
                "root": self.root_public.hex(),
                "statement": self._carried,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> Signer:
        """Return the signer that `encode` wrote.

        Raises:
            IntegrityError: it is damaged; the message holds nothing of the key.
        """
        try:
            found = canonical.decode_object(data, "private", "root", "statement")
            private = canonical.unhex(found["private"], KEY_BYTES)
            root = canonical.unhex(found["root"], KEY_BYTES)
            statement = base64.b64decode(found["statement"], validate=True)
            return cls(Ed25519PrivateKey.from_private_bytes(private), statement, root)
        except (FormatError, TypeError, ValueError):
            # without the cause: it may quote what stands in the file, and that is a key
            raise IntegrityError("the key file is damaged") from None


def installed_signer(directory: Path, role: str) -> Signer | None:
    """Return the signer of `role` as it was made, without the root key; None if there is none.

    Raises:
        ConfigError, IntegrityError: it cannot be read, is damaged or of another role.
    """
    if not (path := key_file(directory, role)).exists():
        return None
    found = Signer.decode(read_private(path))
    if found.role != role:
        raise IntegrityError(f"{path} holds a key of another role")
    return found
