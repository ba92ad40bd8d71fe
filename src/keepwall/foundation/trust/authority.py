"""The local certificate authority: X.509 certificates for mutual TLS between our own processes.

Root and leaves are Ed25519 (RFC 8410), which OpenSSL and Go speak; browsers do not.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from keepwall.vocabulary.errors import ConfigError

CA_LIFE = timedelta(days=3650)
SKEW = timedelta(minutes=5)
"""How far clocks of nodes may lag behind: what is issued holds from this much earlier."""
MAX_COMMON_NAME = 64
"""Bytes of UTF-8, by RFC 5280 appendix A (ub-common-name, ub-organization-name)."""
MAX_NAME = 1024
"""Characters of the name in a SPIFFE ID, which is at most 2048 bytes long in all."""
_NAME = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.(?!-)[A-Za-z0-9-]{1,63})*")


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate with its key and the authority, all in PEM; the key stays out of `repr`."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    ca_pem: bytes


def spiffe_id(trust_domain: str, name: str) -> str:
    """Return ``spiffe://<trust domain>/<name>`` (SPIFFE ID, section 2).

    Raises:
        ConfigError: `name` is no path of letters, digits, dots, dashes and underscores.
    """
    if not _NAME.fullmatch(name) or {".", ".."} & set(name.split("/")) or len(name) > MAX_NAME:
        raise ConfigError(f"{name[:80]!r} cannot be the name in a certificate")
    return f"spiffe://{trust_domain}/{name}"


def self_signed(
    root: Ed25519PrivateKey, organisation: str, trust_domain: str, now: datetime
) -> bytes:
    """Return the authority's own certificate in PEM: it signs leaves and nothing below itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)])
    public = root.public_key()
    builder = (
        _builder(subject, subject, public, now, now + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")]
            ),
            critical=False,
        )
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    return builder.sign(root, None).public_bytes(Encoding.PEM)


@dataclass(frozen=True, slots=True)
class Request:
    """What a certificate shall say."""

    name: str
    addresses: Sequence[str]
    client: bool
    server: bool
    valid: timedelta


def issue(
    root: Ed25519PrivateKey, ca_pem: bytes, trust_domain: str, request: Request, now: datetime
) -> IssuedCertificate:
    """Return a new key with a certificate for it (an X.509-SVID: one URI name, the SPIFFE ID).

    It never outlives the authority.

    Raises:
        ConfigError: the name, an address, the purpose or the life cannot be put in a certificate.
    """
    if not (request.client or request.server) or request.valid <= timedelta():
        raise ConfigError("a certificate is for a client, a server or both, and for some time")
    if request.server and not request.addresses:
        raise ConfigError("the certificate of a server names the addresses it is reached at")
    authority = x509.load_pem_x509_certificate(ca_pem)
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(spiffe_id(trust_domain, request.name)),
        *map(_address, request.addresses),
    ]
    short = len(request.name) <= MAX_COMMON_NAME
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, request.name)] if short else [])
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH] if request.client else []
    purposes += [ExtendedKeyUsageOID.SERVER_AUTH] if request.server else []
    until = min(now + request.valid, authority.not_valid_after_utc)
    key = Ed25519PrivateKey.generate()
    builder = (
        _builder(subject, authority.subject, key.public_key(), now, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        # RFC 5280 section 4.2.1.6: critical where the subject is empty
        .add_extension(x509.SubjectAlternativeName(names), critical=not subject.rdns)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False
        )
    )
    return IssuedCertificate(
        certificate_pem=builder.sign(root, None).public_bytes(Encoding.PEM),
        key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        ca_pem=ca_pem,
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public: Ed25519PublicKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _address(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        if not _HOST.fullmatch(text):
            raise ConfigError(f"{text[:80]!r} is neither an IP address nor a host name") from None
        return x509.DNSName(text.lower())
