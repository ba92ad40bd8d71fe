"""Checksums hold for what was made with them, and for nothing else."""

from __future__ import annotations

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.content import validators
from keepwall.content.examples import example
from keepwall.content.validators import VALIDATORS, Confidence, confidence


def test_a_base62_checksum_holds_for_its_own_token_alone():
    token = example("%base62-crc32(ghp_)%")
    assert validators.base62_crc32(token)
    assert not validators.base62_crc32(token.replace("7", "8", 1))


@pytest.mark.parametrize(("number", "text"), [(0, "000000"), (61, "00000z"), (62, "000010")])
def test_base62_is_filled_with_zeros(number: int, text: str):
    assert validators.base62(number, 6) == text


@pytest.mark.parametrize(
    ("text", "holds"),
    [  # BIP 173, "Test vectors"
        ("A12UEL5L", True),
        ("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", True),
        ("split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w", True),
        ("split1checkupstagehandshakeupstreamerranterredcaperred2y9e3x", False),
        ("no-separator", False),
        ("", False),
    ],
)
def test_bech32_follows_the_vectors_of_its_specification(text: str, *, holds: bool):
    assert validators.bech32(text) is holds


def test_a_grafana_checksum_is_that_of_the_part_before_it():
    sum_of_it = zlib.crc32(b"glsa_abc").to_bytes(4, "little").hex()
    assert validators.grafana_crc32(f"glsa_abc_{sum_of_it}")
    assert not validators.grafana_crc32("glsa_abc_00000000")


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("aws-account", "ASIAQNZGKIQY56JQ7WML", True),
        ("aws-account", "AKIAAAAAAAAAAAAAAAAA", False),
        ("aws-account", "AKIA????????????????", False),
        ("storage-key", base64.b64encode(bytes(range(64))).decode(), True),
        ("storage-key", base64.b64encode(bytes(63)).decode(), False),
        ("storage-key", "nor base64", False),
        ("pem-key", "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC", True),
        ("pem-key", "-----BEGIN PRIVATE KEY-----\\nKw7Fixture4Value3For9Detector2Tes", False),
    ],
)
def test_each_validator_tells_real_from_made_up(name: str, value: str, *, holds: bool):
    expected = Confidence.CERTAIN if holds else Confidence.DOUBTFUL
    assert confidence(name, value) is expected


@given(st.sampled_from(sorted(VALIDATORS)), st.text(max_size=80))
def test_any_text_has_a_confidence(name: str, value: str):
    assert confidence(name, value) in Confidence
    assert confidence("", value) is Confidence.LIKELY
