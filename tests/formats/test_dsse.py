"""DSSE against the test vector of its own specification, and against hostile envelopes."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from keepwall.formats.dsse import (
    MAX_ENVELOPE,
    Extension,
    Signature,
    SignedEnvelope,
    decode,
    encode,
    pae,
)
from keepwall.vocabulary.errors import FormatError

# protocol.md, "Test Vectors"
X = 46950820868899156662930047687818585632848591499744589407958293238635476079160
Y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
SPECIFIED = (
    b'{"payload": "aGVsbG8gd29ybGQ=",\n "payloadType": "http://example.com/HelloWorld",\n'
    b' "signatures": [{"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJ'
    b'PcIAriEGAHTVeCUjW2JIZA=="}]}'
)


def test_pae_is_what_the_specification_prints():
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == expected


def test_the_specified_envelope_verifies_with_the_specified_key():
    envelope = decode(SPECIFIED)
    key = ec.EllipticCurvePublicNumbers(X, Y, ec.SECP256R1()).public_key()
    raw = envelope.signatures[0].sig
    signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    message = pae(envelope.payload_type, envelope.payload)
    key.verify(signature, message, ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature):
        key.verify(signature, pae(envelope.payload_type, b"hello world!"), ec.ECDSA(SHA256()))


def test_lengths_are_counted_in_bytes():
    assert pae("tëst", b"\x00\xff") == b"DSSEv1 5 t\xc3\xabst 2 \x00\xff"


signatures = st.builds(
    Signature,
    st.binary(min_size=1, max_size=80),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.none()
    | st.builds(
        Extension,
        st.text(st.characters(codec="utf-8"), max_size=20),
        st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
    ),
)


@given(
    st.builds(
        SignedEnvelope,
        st.text(st.characters(codec="utf-8"), max_size=30),
        st.binary(max_size=200),
        st.lists(signatures, min_size=1, max_size=4).map(tuple),
    )
)
def test_round_trip(envelope):
    assert decode(encode(envelope)) == envelope


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_hostile_bytes_never_raise_anything_else(data):
    with pytest.raises(FormatError):
        decode(data)


def test_unknown_fields_are_ignored_and_url_safe_base64_is_read():
    document = json.loads(SPECIFIED)
    document["signatures"][0]["sig"] = "-_-_"
    document["more"] = document["signatures"][0]["more"] = [1]
    assert decode(json.dumps(document).encode()).signatures == (
        Signature(base64.b64decode("+/+/")),
    )


def changed(**fields):
    return json.dumps({**json.loads(SPECIFIED), **fields}).encode()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"[]", "not an object"),
        (b"[" * 100_000, "nested too deeply"),
        (SPECIFIED.decode().encode("utf-16"), "not a JSON envelope"),
        (b'{"payload":"","payload":""}', "twice"),
        (b'{"x":NaN}', "not JSON"),
        (changed(payload=None), "payload: missing"),
        (changed(payload="aGVsbG8gd29ybGR="), "canonical"),
        (changed(payload="aGVsbG8gd29ybGQ"), "not base64"),
        (changed(payload="aGVs bG8gd29ybGQ="), "not base64"),
        (changed(payload="+-+_"), "base64"),
        (changed(payload="é"), "not base64"),
        (changed(payloadType=7), "payloadType: missing"),
        (changed(payloadType="\ud800"), "not UTF-8"),
        (changed(signatures=[]), "0 signatures"),
        (changed(signatures=[{"sig": ""}] * 17), "17 signatures"),
        (changed(signatures=["x"]), "signatures[0]: not an object"),
        (changed(signatures=[{"sig": "", "keyid": 1}]), "signatures[0].keyid"),
        (changed(signatures=[{"sig": "", "extension": {"kind": ""}}]), "extension.ext"),
        (b" " * (MAX_ENVELOPE + 1), "over the limit"),
    ],
)
def test_refused(data, says):
    with pytest.raises(FormatError) as refused:
        decode(data)
    assert says in str(refused.value)
