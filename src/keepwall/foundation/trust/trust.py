"""The signing side of one installation: the root key and all that it vouches for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keepwall.formats import dsse
from keepwall.foundation.clock import Clock
from keepwall.foundation.trust import authority, backup, canonical
from keepwall.foundation.trust.authority import MAX_COMMON_NAME, SKEW, IssuedCertificate
from keepwall.foundation.trust.files import (
    exclusive,
    private_directory,
    read_private,
    write_private,
)
from keepwall.foundation.trust.installed import (
    ABOUT,
    CA,
    KEYS,
    REVOCATIONS,
    ROOT,
    about,
    key_file,
)
from keepwall.foundation.trust.signer import Signer
from keepwall.foundation.trust.statement import (
    KEY_BYTES,
    REVOCATIONS_TYPE,
    STATEMENT_TYPE,
    KeyStatement,
    Revocations,
    checked_role,
    key_id,
)
from keepwall.foundation.trust.tokens import JoinTokens
from keepwall.foundation.trust.verify import Verifier
from keepwall.vocabulary.errors import ConfigError, FormatError, IntegrityError

ROLE_LIFE = timedelta(days=730)
"""How long the root vouches for a role key."""
RENEW_BEFORE = timedelta(days=90)
"""`Trust.signer` makes a new key when the present one ends within this time."""
_TOKENS, _LOCK = "join-tokens.json", "lock"


def trust_domain_of(organisation: str) -> str:
    """Return the SPIFFE trust domain for an organisation's name: ``Acme GmbH`` is ``acme-gmbh``.

    Raises:
        ConfigError: nothing is left of the name, or it is too long for a certificate.
    """
    if not organisation.isprintable() or not 0 < len(organisation.encode()) <= MAX_COMMON_NAME:
        raise ConfigError(f"an organisation needs a name of 1 to {MAX_COMMON_NAME} bytes")
    if domain := re.sub(r"[^a-z0-9._-]+", "-", organisation.lower()).strip("-."):
        return domain
    raise ConfigError(f"the organisation's name {organisation!r} holds no letter from a to z")


class Trust:
    """The keys of one installation, in one directory that only its user can enter.

    The root signs key statements, certificates and the list of revoked keys; documents are signed
    by role keys. Files: ``root.key`` ``ca.pem`` ``about.json`` ``keys/<role>.json``
    ``revocations.json`` ``join-tokens.json``.
    """

    def __init__(self, directory: Path, root: Ed25519PrivateKey, clock: Clock) -> None:
        """Use `create`, `open` or `restore`; raises IntegrityError if the parts do not match."""
        self._directory = directory
        self._root = root
        self._clock = clock
        names = about(directory)
        self.root_public = root.public_key().public_bytes_raw()
        self.organisation: str = names["organisation"]
        self.trust_domain: str = names["trustDomain"]
        if canonical.unhex(names["root"], KEY_BYTES) != self.root_public:
            raise IntegrityError(f"{directory / ABOUT} belongs to another root key")
        self._tokens = JoinTokens(directory / _TOKENS, self.root_public)

    @classmethod
    def create(cls, directory: Path, organisation: str, clock: Clock) -> Trust:
        """Make a new root in `directory` and return it.

        Raises:
            ConfigError: there is one already, or the directory or the name cannot be used.
        """
        domain = trust_domain_of(organisation)
        private_directory(directory / KEYS)
        private_directory(directory)
        with exclusive(directory / _LOCK):
            if (directory / ROOT).exists():
                raise ConfigError(f"{directory} holds a root key already")
            root = Ed25519PrivateKey.generate()
            names = {
                "organisation": organisation,
                "root": root.public_key().public_bytes_raw().hex(),
                "trustDomain": domain,
            }
            write_private(directory / ABOUT, canonical.encode(names))
            certificate = authority.self_signed(root, organisation, domain, clock.now())
            write_private(directory / CA, certificate)
            # last, so that a root key means a complete directory
            write_private(directory / ROOT, root.private_bytes_raw().hex().encode())
        return cls(directory, root, clock)

    @classmethod
    def open(cls, directory: Path, clock: Clock) -> Trust:
        """Return the installation in `directory`.

        Raises:
            ConfigError: there is none, or other users could read its keys.
            IntegrityError: its files are damaged or do not belong together.
        """
        if not (directory / ROOT).exists():
            raise ConfigError(
                f"no installation keys in {directory}", hint="keepwall up makes them at first start"
            )
        text = read_private(directory / ROOT).decode("ascii", "replace")
        try:
            root = Ed25519PrivateKey.from_private_bytes(canonical.unhex(text, KEY_BYTES))
        except FormatError:
            raise IntegrityError(f"{directory / ROOT} is damaged") from None
        return cls(directory, root, clock)

    @classmethod
    def open_or_create(cls, directory: Path, organisation: str, clock: Clock) -> Trust:
        """Return the installation in `directory`, made first if there is none."""
        if not (directory / ROOT).exists():
            return cls.create(directory, organisation, clock)
        return cls.open(directory, clock)

    @property
    def ca_pem(self) -> bytes:
        """The certificate of the local authority, in PEM."""
        return read_private(self._directory / CA)

    def verifier(self) -> Verifier:
        """Return a verifier for this root that knows the revoked keys of this moment."""
        return Verifier(self.root_public, revocations=self.revocations())

    def signer(self, role: str) -> Signer:
        """Return the signer of `role`.

        Its key is made at first use, and anew near its end or once it is revoked.

        Raises:
            ConfigError: `role` is no role.
            IntegrityError: the key file is damaged.
        """
        with exclusive(self._directory / _LOCK):
            if (path := self._key_path(role)).exists():
                found = Signer.decode(read_private(path))
                if found.role != role or found.root_public != self.root_public:
                    raise IntegrityError(f"{path} holds a key of another role or installation")
                ends = found.valid_until - self._clock.now() <= RENEW_BEFORE
                if not ends and found.key_id not in self._revoked().keys:
                    return found
            return self._new_key(role)

    def rotate(self, role: str) -> Signer:
        """Replace the key of `role` and return the new signer.

        The old private key is gone; what it signed verifies until its statement ends or `revoke`
        names it.
        """
        with exclusive(self._directory / _LOCK):
            return self._new_key(role)

    def certify(self, role: str, public: bytes, valid: timedelta = ROLE_LIFE) -> bytes:
        """Return the root's statement that `public` acts as `role` (a node keeps its own key).

        Raises:
            ConfigError: the role, the key or the life is not one.
        """
        if len(public) != KEY_BYTES or valid <= timedelta():
            raise ConfigError(f"a key statement needs a key of {KEY_BYTES} bytes and a life")
        now = self._clock.now()
        statement = KeyStatement(checked_role(role), public, now - SKEW, now + valid)
        return self._sign(STATEMENT_TYPE, statement.encode())

    def revoke(self, keyid: str) -> None:
        """Make verifiers that get the new `revocations` refuse the key, whatever it signed when.

        Raises:
            FormatError: `keyid` is not the id of a key.
        """
        keyid = canonical.unhex(keyid, KEY_BYTES).hex()
        with exclusive(self._directory / _LOCK):
            present = self._revoked()
            later = Revocations(present.sequence + 1, present.keys | {keyid})
            signed = self._sign(REVOCATIONS_TYPE, later.encode())
            write_private(self._directory / REVOCATIONS, signed)

    def revocations(self) -> bytes:
        """Return the signed list of revoked keys, for `Verifier(root, revocations=…)`."""
        path = self._directory / REVOCATIONS
        if not path.exists():
            return self._sign(REVOCATIONS_TYPE, Revocations().encode())
        Verifier(self.root_public, revocations=(signed := read_private(path)))
        return signed

    def issue(
        self,
        name: str,
        *,
        addresses: Sequence[str] = (),
        client: bool = True,
        server: bool = False,
        valid: timedelta,
    ) -> IssuedCertificate:
        """Return a certificate for ``spiffe://<trust domain>/<name>`` with a new key.

        `addresses` are the IP addresses and host names that a server is reached at.

        Raises:
            ConfigError: a certificate cannot say that.
        """
        request = authority.Request(name, addresses, client, server, valid)
        return authority.issue(
            self._root, self.ca_pem, self.trust_domain, request, self._clock.now()
        )

    def join_token(self, node: str, valid: timedelta) -> str:
        """Return a token with which `node` may introduce itself once, before `valid` has passed.

        Raises:
            ConfigError: the name or the life is not one, or too many tokens are outstanding.
        """
        return self._tokens.issue(node, self._clock.now(), valid)

    def redeem(self, token: str) -> str:
        """Return the node that `token` is for, and use the token up durably.

        Raises:
            IntegrityError: it is unknown, used, expired, damaged or of another installation.
        """
        return self._tokens.redeem(token, self._clock.now())

    def backup(self, passphrase: str) -> bytes:
        """Return all keys, sealed. Join tokens stay out, so a restore cannot revive a used one.

        Raises:
            ConfigError: the passphrase is too short.
        """
        with exclusive(self._directory / _LOCK):
            names = [ROOT, CA, ABOUT]
            names += [REVOCATIONS] if (self._directory / REVOCATIONS).exists() else []
            names += [f"{KEYS}/{path.name}" for path in (self._directory / KEYS).glob("*.json")]
            files = {name: read_private(self._directory / name) for name in sorted(names)}
        return backup.seal(files, passphrase)

    @classmethod
    def restore(cls, directory: Path, blob: bytes, passphrase: str, clock: Clock) -> Trust:
        """Write the keys of a backup to `directory`, which must hold none, and return them.

        Raises:
            ConfigError: the directory holds keys already.
            IntegrityError: it is no backup, was changed, or the passphrase is wrong.
        """
        files = backup.unseal(blob, passphrase)
        private_directory(directory / KEYS)
        private_directory(directory)
        with exclusive(directory / _LOCK):
            if (directory / ROOT).exists():
                raise ConfigError(f"{directory} holds a root key already")
            root = files.pop(ROOT)
            for name, data in files.items():
                if name not in (CA, ABOUT, REVOCATIONS) and not _KEY_FILE.fullmatch(name):
                    raise IntegrityError(f"the backup names an unexpected file {name[:80]!r}")
                write_private(directory / name, data)
            write_private(directory / ROOT, root)
        return cls.open(directory, clock)

    def _revoked(self) -> Revocations:
        return Revocations.decode(dsse.decode(self.revocations()).payload)

    def _new_key(self, role: str) -> Signer:
        private = Ed25519PrivateKey.generate()
        statement = self.certify(role, private.public_key().public_bytes_raw())
        signer = Signer(private, statement, self.root_public)
        write_private(self._key_path(role), signer.encode())
        return signer

    def _key_path(self, role: str) -> Path:
        return key_file(self._directory, role)

    def _sign(self, payload_type: str, payload: bytes) -> bytes:
        signature = dsse.Signature(
            self._root.sign(dsse.pae(payload_type, payload)), key_id(self.root_public)
        )
        return dsse.encode(dsse.SignedEnvelope(payload_type, payload, (signature,)))


_KEY_FILE = re.compile(rf"{KEYS}/[A-Za-z0-9_~-]+\.json")
