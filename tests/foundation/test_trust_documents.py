"""Role keys, statements, rotation, revocation and what a verifier refuses."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keepwall.formats import dsse
from keepwall.foundation.trust.installed import installed_root
from keepwall.foundation.trust.signer import Signer
from keepwall.foundation.trust.statement import STATEMENT_TYPE, key_id
from keepwall.foundation.trust.trust import RENEW_BEFORE, ROLE_LIFE, Trust
from keepwall.foundation.trust.verify import Verifier
from keepwall.vocabulary.errors import ConfigError, FormatError, IntegrityError

KIND = "application/vnd.test+json"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class HandClock:
    def __init__(self):
        self.time = START

    def now(self):
        return self.time


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def trust(tmp_path, clock):
    return Trust.create(tmp_path / "trust", "Acme GmbH", clock)


def checked(trust, envelope, role="control", at=START, kind=KIND):
    return Verifier(trust.root_public).verify(envelope, payload_type=kind, role=role, at=at)


def test_a_document_verifies_with_nothing_but_the_root(trust):
    envelope = trust.signer("control").sign(KIND, b"hello")
    assert checked(trust, envelope) == b"hello"
    assert trust.trust_domain == "acme-gmbh"


def test_keys_survive_a_restart(trust, tmp_path, clock):
    again = Trust.open(tmp_path / "trust", clock)
    assert again.root_public == trust.root_public == installed_root(tmp_path / "trust")
    assert again.signer("control").public == trust.signer("control").public
    assert again.signer("ledger").public != again.signer("control").public
    assert Trust.open_or_create(tmp_path / "trust", "other", clock).organisation == "Acme GmbH"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"role": "ledger"}, "role 'control', expected 'ledger'"),
        ({"kind": "application/other"}, "expected 'application/other'"),
        ({"at": START + ROLE_LIFE}, "holds from"),
        ({"at": START - timedelta(hours=1)}, "holds from"),
    ],
)
def test_refusals_say_why(trust, arguments, says):
    envelope = trust.signer("control").sign(KIND, b"hello")
    with pytest.raises(IntegrityError) as refused:
        checked(trust, envelope, **arguments)
    assert says in refused.value.message


def test_another_installation_is_not_believed(trust, tmp_path, clock):
    other = Trust.create(tmp_path / "other", "Acme GmbH", clock)
    with pytest.raises(IntegrityError, match="another root"):
        checked(trust, other.signer("control").sign(KIND, b"hello"))


def test_every_changed_byte_of_a_document_is_refused(trust):
    envelope = trust.signer("control").sign(KIND, b'{"a":1}')
    verifier = Verifier(trust.root_public)
    for at in range(len(envelope)):
        bad = bytearray(envelope)
        bad[at] ^= 1
        try:
            payload = verifier.verify(bytes(bad), payload_type=KIND, role="control", at=START)
        except IntegrityError:
            continue
        # DSSE lets a producer add fields: a renamed optional key would be ignored, and is not
        pytest.fail(f"byte {at} changed and {payload!r} still verified")


def forged(envelope, **changes):
    document = json.loads(envelope)
    document["signatures"][0].update(changes)
    return json.dumps(document).encode()


def test_a_key_that_certifies_itself_is_refused(trust):
    """The statement of a real role key beside the signature of a stranger's key."""
    real = trust.signer("control").sign(KIND, b"hello")
    stranger = Ed25519PrivateKey.generate()
    signature = base64.b64encode(stranger.sign(dsse.pae(KIND, b"hello"))).decode()
    with pytest.raises(IntegrityError, match="does not match the content"):
        checked(trust, forged(real, sig=signature))
    with pytest.raises(IntegrityError, match="another key than its statement"):
        checked(trust, forged(real, keyid=key_id(stranger.public_key().public_bytes_raw())))
    with pytest.raises(IntegrityError, match="without a key statement"):
        checked(trust, forged(real, extension={"kind": "x", "ext": {}}))
    inner = {"kind": STATEMENT_TYPE, "ext": {"statement": base64.b64encode(real).decode()}}
    with pytest.raises(IntegrityError, match="not believed"):
        checked(trust, forged(real, extension=inner))


def test_rotation_keeps_old_documents_until_revocation(trust):
    old = trust.signer("control")
    before = old.sign(KIND, b"before")
    new = trust.rotate("control")
    assert trust.signer("control").public == new.public != old.public
    assert checked(trust, before) == b"before"
    assert checked(trust, new.sign(KIND, b"after")) == b"after"
    trust.revoke(old.key_id)
    verifier = trust.verifier()
    assert verifier.revocation_sequence == 1
    with pytest.raises(IntegrityError, match="is revoked"):
        verifier.verify(before, payload_type=KIND, role="control", at=START)
    after = new.sign(KIND, b"after")
    assert verifier.verify(after, payload_type=KIND, role="control", at=START) == b"after"
    trust.revoke(new.key_id)
    assert trust.verifier().revocation_sequence == 2
    assert trust.signer("control").public not in (old.public, new.public)


def test_revocations_of_another_root_are_refused(trust, tmp_path, clock):
    other = Trust.create(tmp_path / "other", "x", clock)
    with pytest.raises(IntegrityError, match="another root"):
        Verifier(trust.root_public, revocations=other.revocations())
    with pytest.raises(FormatError):
        trust.revoke("not-a-key")


def test_a_signer_is_renewed_before_its_key_ends(trust, clock):
    first = trust.signer("control")
    clock.time = first.valid_until - RENEW_BEFORE - timedelta(seconds=1)
    assert trust.signer("control").public == first.public
    clock.time = first.valid_until - RENEW_BEFORE
    renewed = trust.signer("control")
    assert renewed.public != first.public
    envelope = renewed.sign(KIND, b"x")
    assert checked(trust, envelope, at=first.valid_until) == b"x"


def test_a_node_keeps_its_own_key(trust):
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    signer = Signer(private, trust.certify("node/n1", public), trust.root_public)
    envelope = signer.sign(KIND, b"status")
    assert checked(trust, envelope, role="node/n1") == b"status"
    with pytest.raises(IntegrityError, match="expected 'node/n2'"):
        checked(trust, envelope, role="node/n2")
    with pytest.raises(IntegrityError, match="another key"):
        Signer(Ed25519PrivateKey.generate(), trust.certify("node/n1", public), b"")


@pytest.mark.parametrize("role", ["", "Control", "../x", "a/b/c", "node/", "a" * 80, "a\n"])
def test_a_role_is_a_word(trust, role):
    with pytest.raises(ConfigError):
        trust.signer(role)


def test_secrets_are_private_and_damage_is_named(trust, tmp_path, clock):
    trust.signer("control")
    directory = tmp_path / "trust"
    trust.join_token("n1", timedelta(hours=1))
    assert directory.stat().st_mode & 0o777 == 0o700
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert len(files) >= 6
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    key = directory / "keys" / "control.json"
    secret = json.loads(key.read_text())["private"]
    key.write_text(key.read_text().replace('"root"', '"toor"'))
    with pytest.raises(IntegrityError, match="damaged") as damaged:
        trust.signer("control")
    assert secret not in str(damaged.value)
    (directory / "root.key").chmod(0o640)
    with pytest.raises(ConfigError, match="other users"):
        Trust.open(directory, clock)
    (directory / "root.key").chmod(0o600)
    (directory / "root.key").write_text("00")
    with pytest.raises(IntegrityError, match=r"root\.key is damaged"):
        Trust.open(directory, clock)
    with pytest.raises(ConfigError, match="already"):
        Trust.create(directory, "x", clock)
    with pytest.raises(ConfigError, match="no installation"):
        Trust.open(tmp_path / "nowhere", clock)
    assert installed_root(tmp_path / "nowhere") is None


def test_the_verifier_imports_little():
    program = (
        "import sys, keepwall.foundation.trust.verify;"
        "print(*[m for m in ('cryptography.x509', 'msgspec', 'sqlalchemy', 'ssl', 'asyncio',"
        "'keepwall.foundation.trust.trust') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b""
