"""Sealing the keys of an installation under a passphrase: scrypt (RFC 7914), AES-256-GCM."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from keepwall.foundation.trust import canonical
from keepwall.vocabulary.errors import ConfigError, IntegrityError

MIN_PASSPHRASE = 12
"""Characters; scrypt slows a guess down but cannot save a short word."""
MAX_BACKUP = 4 * 1024 * 1024
_MAGIC = b"keepwall trust backup 1\n"
_SALT, _NONCE = 16, 12
_COST, _BLOCK, _PARALLEL = 2**17, 8, 1  # 128 MiB, OWASP's first choice for scrypt


def seal(files: Mapping[str, bytes], passphrase: str) -> bytes:
    """Return `files` (name to content) encrypted under `passphrase`.

    Raises:
        ConfigError: the passphrase is too short.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise ConfigError(f"the passphrase must have at least {MIN_PASSPHRASE} characters")
    salt, nonce = secrets.token_bytes(_SALT), secrets.token_bytes(_NONCE)
    plain = canonical.encode({name: base64.b64encode(raw).decode() for name, raw in files.items()})
    return _MAGIC + salt + nonce + _cipher(passphrase, salt).encrypt(nonce, plain, _MAGIC + salt)


def unseal(blob: bytes, passphrase: str) -> dict[str, bytes]:
    """Return the files in a blob that `seal` made.

    Raises:
        IntegrityError: it is no backup, was changed, or the passphrase is wrong.
    """
    start = len(_MAGIC) + _SALT + _NONCE
    if not blob.startswith(_MAGIC) or not start < len(blob) <= MAX_BACKUP:
        raise IntegrityError("not a backup of a Keepwall installation's keys")
    salt, nonce = blob[len(_MAGIC) : start - _NONCE], blob[start - _NONCE : start]
    try:
        plain = _cipher(passphrase, salt).decrypt(nonce, blob[start:], _MAGIC + salt)
    except InvalidTag:
        raise IntegrityError("the backup was changed, or the passphrase is wrong") from None
    return {name: base64.b64decode(text) for name, text in canonical.decode(plain).items()}


def _cipher(passphrase: str, salt: bytes) -> AESGCM:
    kdf = Scrypt(salt=salt, length=32, n=_COST, r=_BLOCK, p=_PARALLEL)
    return AESGCM(kdf.derive(passphrase.encode()))
