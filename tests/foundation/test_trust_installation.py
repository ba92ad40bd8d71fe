"""Certificates (by a real TLS handshake in memory), join tokens and backups."""

from __future__ import annotations

import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from keepwall.foundation.trust import backup as backup_module
from keepwall.foundation.trust.tokens import JoinToken
from keepwall.foundation.trust.trust import Trust
from keepwall.foundation.trust.verify import Verifier
from keepwall.vocabulary.errors import ConfigError, IntegrityError

HOUR = timedelta(hours=1)
PASSPHRASE = "correct horse battery"  # noqa: S105 - of a test


class SteppedClock:
    def __init__(self):
        self.time = datetime.now(UTC)

    def now(self):
        return self.time


@pytest.fixture
def clock():
    return SteppedClock()


@pytest.fixture
def trust(tmp_path, clock):
    return Trust.create(tmp_path / "trust", "acme.example", clock)


def context(side, issued, tmp_path, ca_pem=None):
    made = ssl.SSLContext(side)
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(cadata=(ca_pem or issued.ca_pem).decode())
    path = tmp_path / f"{side.name}.pem"
    path.write_bytes(issued.key_pem + issued.certificate_pem)
    made.load_cert_chain(path)
    return made


def handshake(server, client, host="127.0.0.1"):
    """Run TLS between two contexts without a socket; return the two ends."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=host)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [near, far, near, far]
    for end in waiting * 2:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    near.write(b"ping")
    assert far.read(4) == b"ping"
    far.write(b"pong")
    assert near.read(4) == b"pong"
    return near, far


def sides(trust, tmp_path, ca_pem=None):
    served = trust.issue(
        "control", addresses=["127.0.0.1", "bus.acme.example"], server=True, valid=HOUR
    )
    joined = trust.issue("node/n1", valid=HOUR)
    return (
        context(ssl.PROTOCOL_TLS_SERVER, served, tmp_path, ca_pem),
        context(ssl.PROTOCOL_TLS_CLIENT, joined, tmp_path),
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "bus.acme.example"])
def test_mutual_tls_names_the_spiffe_id(trust, tmp_path, host):
    _, far = handshake(*sides(trust, tmp_path), host)
    names = far.getpeercert()["subjectAltName"]
    assert names == (("URI", "spiffe://acme.example/node/n1"),)


def test_the_wrong_address_and_a_stranger_are_refused(trust, tmp_path, clock):
    server, client = sides(trust, tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(server, client, "10.0.0.1")
    (tmp_path / "o").mkdir()
    other = Trust.create(tmp_path / "other", "acme.example", clock)
    _, stranger = sides(other, tmp_path / "o")
    stranger.load_verify_locations(cadata=trust.ca_pem.decode())
    with pytest.raises(ssl.SSLError, match="certificate"):
        handshake(server, stranger)


def test_a_client_certificate_serves_nobody(trust, tmp_path):
    issued = trust.issue("node/n1", addresses=["127.0.0.1"], valid=HOUR)
    _, client = sides(trust, tmp_path)
    (tmp_path / "c").mkdir()
    server = context(ssl.PROTOCOL_TLS_SERVER, issued, tmp_path / "c")
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        handshake(server, client)


def test_what_the_certificates_say(trust, clock):
    issued = trust.issue("agent/" + "x" * 80, valid=timedelta(days=99_999))
    leaf = x509.load_pem_x509_certificate(issued.certificate_pem)
    authority = x509.load_pem_x509_certificate(issued.ca_pem)
    leaf.verify_directly_issued_by(authority)
    authority.verify_directly_issued_by(authority)
    assert leaf.not_valid_after_utc == authority.not_valid_after_utc
    assert leaf.not_valid_before_utc < clock.now()
    assert authority.public_key().public_bytes_raw() == trust.root_public
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical
    assert b"PRIVATE" in issued.key_pem
    assert "PRIVATE" not in repr(issued)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("", {}),
        ("../control", {}),
        ("a//b", {}),
        ("a b", {}),
        ("x" * 1025, {}),
        ("n1", {"server": True}),
        ("n1", {"client": False}),
        ("n1", {"valid": timedelta()}),
        ("n1", {"addresses": ["*.example"]}),
        ("n1", {"addresses": ["a b"]}),
    ],
)
def test_what_no_certificate_says(trust, name, more):
    with pytest.raises(ConfigError):
        trust.issue(name, **{"valid": HOUR, **more})


@pytest.mark.parametrize("name", ["", "...", "x" * 65, "ü" * 33, "a\nb", "\ud800"])
def test_an_organisation_has_a_name(tmp_path, clock, name):
    with pytest.raises(ConfigError):
        Trust.create(tmp_path / "t", name, clock)


def test_a_join_token_works_once_also_after_a_restart(trust, tmp_path, clock):
    token = trust.join_token("n1", HOUR)
    assert JoinToken.parse(token).root_public == trust.root_public
    assert trust.redeem(f" {token}\n") == "n1"
    with pytest.raises(IntegrityError, match="used already") as refused:
        Trust.open(tmp_path / "trust", clock).redeem(token)
    assert token.rsplit(".", 1)[1] not in str(refused.value)


def test_a_join_token_is_for_its_node_and_its_hour(trust, tmp_path, clock):
    token = trust.join_token("n1", HOUR)
    with pytest.raises(IntegrityError, match="another node"):
        trust.redeem(token.replace(".n1.", ".n2."))
    other = Trust.create(tmp_path / "other", "x", clock)
    with pytest.raises(IntegrityError, match="another installation"):
        other.redeem(token)
    assert trust.redeem(token) == "n1"
    late = trust.join_token("n1", HOUR)
    clock.time += HOUR
    with pytest.raises(IntegrityError, match="expired"):
        trust.redeem(late)
    with pytest.raises(IntegrityError, match="used already"):
        trust.redeem(late)


@pytest.mark.parametrize(
    "text", ["", "kwj1", "kwj1.n1.x.y", "kwj1.a b.c.d", "x" * 600, "kwj1.é.é.é"]
)
def test_no_join_token(trust, text):
    with pytest.raises(IntegrityError, match="not a join token"):
        trust.redeem(text)


def test_one_of_many_who_redeem_at_once_wins(trust):
    token, won = trust.join_token("n1", HOUR), []
    start = threading.Barrier(8)

    def redeem():
        start.wait()
        try:
            won.append(trust.redeem(token))
        except IntegrityError:
            won.append(None)

    threads = [threading.Thread(target=redeem) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won, key=str) == [None] * 7 + ["n1"]


def test_a_backup_restores_all_but_join_tokens(trust, tmp_path, clock):
    kind = "application/x"
    signer = trust.signer("node/n1")
    trust.revoke("00" * 32)
    token = trust.join_token("n1", HOUR)
    blob = trust.backup(PASSPHRASE)
    restored = Trust.restore(tmp_path / "new", blob, PASSPHRASE, clock)
    assert restored.root_public == trust.root_public
    assert restored.signer("node/n1").public == signer.public
    assert restored.revocations() == trust.revocations()
    envelope = restored.signer("node/n1").sign(kind, b"x")
    verifier = Verifier(trust.root_public)
    at = clock.now()
    assert verifier.verify(envelope, payload_type=kind, role="node/n1", at=at) == b"x"
    with pytest.raises(IntegrityError, match="unknown"):
        restored.redeem(token)
    with pytest.raises(ConfigError, match="already"):
        Trust.restore(tmp_path / "new", blob, PASSPHRASE, clock)


def test_a_backup_opens_only_whole_and_with_its_passphrase(trust, tmp_path, clock):
    with pytest.raises(ConfigError, match="12 characters"):
        trust.backup("short")
    blob = trust.backup(PASSPHRASE)
    root = (tmp_path / "trust" / "root.key").read_bytes()
    assert root not in blob
    for bad, passphrase in [
        (blob, PASSPHRASE + "x"),
        (blob[:-1], PASSPHRASE),
        (blob[:-1] + bytes([blob[-1] ^ 1]), PASSPHRASE),
        (blob[:30] + bytes([blob[30] ^ 1]) + blob[31:], PASSPHRASE),
        (b"x" + blob[1:], PASSPHRASE),
        (b"", PASSPHRASE),
    ]:
        with pytest.raises(IntegrityError):
            Trust.restore(tmp_path / "new", bad, passphrase, clock)
    outside = backup_module.seal({"root.key": b"", "../evil": b"x"}, PASSPHRASE)
    with pytest.raises(IntegrityError, match="unexpected file"):
        Trust.restore(tmp_path / "new", outside, PASSPHRASE, clock)
    assert not (tmp_path / "evil").exists()
