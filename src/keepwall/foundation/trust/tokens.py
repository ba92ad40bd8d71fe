"""Join tokens: what lets one named node introduce itself to the control plane, once."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from keepwall.foundation.trust import canonical
from keepwall.foundation.trust.files import exclusive, read_private, write_private
from keepwall.foundation.trust.statement import KEY_BYTES
from keepwall.vocabulary.errors import ConfigError, FormatError, IntegrityError

MAX_OUTSTANDING = 10_000
"""How many tokens may wait for their node at a time."""
MAX_FILE = 4 * 1024 * 1024
_PREFIX = "kwj1"
_NODE = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class JoinToken:
    """``kwj1.<node>.<root>.<secret>``: the node learns from it which root to believe."""

    node: str
    root_public: bytes
    secret: bytes = field(repr=False)

    def __str__(self) -> str:
        return ".".join((_PREFIX, self.node, _written(self.root_public), _written(self.secret)))

    @classmethod
    def parse(cls, text: str) -> JoinToken:
        """Return the token in `text`.

        Raises:
            FormatError: it is not one; the message holds nothing of it.
        """
        parts = text.strip().split(".") if len(text) < 512 else []  # noqa: PLR2004 - a token is far shorter
        if len(parts) != 4 or parts[0] != _PREFIX or not _NODE.fullmatch(parts[1]):  # noqa: PLR2004 - the form above
            raise FormatError("not a join token", hint="copy all of it, from kwj1 to the end")
        try:
            root, secret = (base64.urlsafe_b64decode(f"{part}=") for part in parts[2:])
        except (binascii.Error, ValueError):
            raise FormatError("not a join token: it is damaged") from None
        if len(root) != KEY_BYTES or len(secret) != _SECRET_BYTES:
            raise FormatError("not a join token: it is cut short")
        return cls(parts[1], root, secret)


def _written(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class JoinTokens:
    """Outstanding tokens, kept as digests in one file; a used token is forgotten durably first."""

    def __init__(self, path: Path, root_public: bytes) -> None:
        self._path = path
        self._lock = path.with_suffix(".lock")
        self._root = root_public

    def issue(self, node: str, now: datetime, valid: timedelta) -> str:
        """Return a new token for `node`, which must use it before `valid` has passed.

        Raises:
            ConfigError: the node name is no name, the life is none, or too many are outstanding.
        """
        if not _NODE.fullmatch(node):
            raise ConfigError(f"node name {node[:80]!r} may hold letters, digits, - and _ only")
        if valid <= timedelta():
            raise ConfigError("a join token must be valid for some time")
        token = JoinToken(node, self._root, secrets.token_bytes(_SECRET_BYTES))
        with exclusive(self._lock):
            waiting = {
                digest: entry
                for digest, entry in self._load().items()
                if canonical.instant(entry["expires"]) > now
            }
            if len(waiting) >= MAX_OUTSTANDING:
                raise ConfigError(f"{MAX_OUTSTANDING} join tokens are outstanding")
            expires = canonical.stamp(now + valid)
            waiting[_digest(token)] = {"expires": expires, "node": node}
            write_private(self._path, canonical.encode(waiting))
        return str(token)

    def redeem(self, text: str, now: datetime) -> str:
        """Return the name of the node that the token is for; the token is worth nothing after.

        Raises:
            IntegrityError: it is of another installation, unknown, used, expired or damaged.
        """
        try:
            token = JoinToken.parse(text)
        except FormatError as error:
            raise IntegrityError(error.message, hint=error.hint) from None
        if token.root_public != self._root:
            raise IntegrityError("the join token is of another installation")
        with exclusive(self._lock):
            waiting = self._load()
            entry = waiting.pop(_digest(token), None)
            if entry is None:
                raise IntegrityError("the join token is unknown or was used already")
            if entry["node"] != token.node:
                raise IntegrityError("the join token was issued for another node")
            write_private(self._path, canonical.encode(waiting))
        if canonical.instant(entry["expires"]) <= now:
            raise IntegrityError("the join token has expired", hint="ask for a new one")
        return token.node

    def _load(self) -> dict[str, Any]:
        if not self._path.exists():
            return {}
        try:
            found = canonical.decode(read_private(self._path, MAX_FILE))
        except FormatError as error:
            raise IntegrityError(f"{self._path} is damaged: {error.message}") from error
        if not isinstance(found, dict):
            raise IntegrityError(f"{self._path} is damaged: not an object")
        return found


def _digest(token: JoinToken) -> str:
    return hashlib.sha256(token.secret).hexdigest()
