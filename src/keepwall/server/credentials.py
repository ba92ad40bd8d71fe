"""The generated password and API token: shown once, and kept only as hashes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from keepwall.foundation.store.store import Store
from keepwall.vocabulary.errors import IntegrityError

PASSWORD_SETTING = "server.password"  # noqa: S105 - the name of a setting, not a credential
TOKEN_SETTING = "server.api-token"  # noqa: S105 - the name of a setting, not a credential

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_LENGTH = 5, 5
_N, _R, _P = 2**14, 8, 1
_LONGEST = 256


def new_password(store: Store) -> str:
    """Replace the sign-in password by a random one (about 124 bits) and return it.

    Only its scrypt hash (RFC 7914, N=2^14, r=8, p=1) is stored: print it once, it cannot be read
    back. The previous password stops working at once.
    """
    password = "-".join(
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS)
    )
    salt = secrets.token_bytes(16)
    encoded = (base64.b64encode(part).decode() for part in (salt, _scrypt(password, salt)))
    store.settings.set(PASSWORD_SETTING, "$".join(("scrypt", *encoded)))
    return password


def check_password(store: Store, given: str) -> bool:
    """Whether `given` is the password; takes the same time whatever is wrong with it.

    Raises:
        IntegrityError: what is stored is no hash that `new_password` made.
    """
    salt, expected = _stored(store.settings.get(PASSWORD_SETTING))
    return hmac.compare_digest(_scrypt(given[:_LONGEST], salt), expected)


def new_api_token(store: Store) -> str:
    """Replace the API token by a random one (256 bits) and return it; only its hash is stored.

    A plain SHA-256 suffices: there is nothing to guess in 256 random bits, and it is checked on
    every request.
    """
    token = f"kw_{secrets.token_urlsafe(32)}"
    store.settings.set(TOKEN_SETTING, _sha256(token))
    return token


def check_api_token(store: Store, given: str) -> bool:
    """Whether `given` is the API token."""
    return hmac.compare_digest(_sha256(given), store.settings.get(TOKEN_SETTING) or "")


def _stored(record: str | None) -> tuple[bytes, bytes]:
    """Return salt and hash of the password; where there is none, a hash that no password has."""
    if record is None:
        return b"", b""
    try:
        _, salt, expected = record.split("$")
        return base64.b64decode(salt, validate=True), base64.b64decode(expected, validate=True)
    except ValueError:
        raise IntegrityError(
            "the stored password is damaged", hint="start keepwall up again: it makes a new one"
        ) from None


def _scrypt(password: str, salt: bytes) -> bytes:
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=_N, r=_R, p=_P, dklen=32)


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
