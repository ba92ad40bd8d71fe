"""SPIFFE IDs by the letter of the standard."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.formats.spiffe import checked_spiffe_id
from keepwall.vocabulary.errors import FormatError


@pytest.mark.parametrize(
    "text",
    [
        "spiffe://acme.example",
        "spiffe://acme.example/agent/claims",
        "spiffe://a_b-c.1/ns/ml/sa/Default_1",
        "spiffe://example/...",
        "spiffe://example/a" + "/b" * 900,
        "spiffe://" + "a" * 255 + "/x",
        "spiffe://example/" + "a" * (2048 - 17),
    ],
)
def test_ids_that_the_standard_allows(text: str):
    assert checked_spiffe_id(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "does not begin"),
        ("https://acme.example/agent", "does not begin"),
        ("SPIFFE://acme.example/agent", "does not begin"),
        ("spiffe:/acme.example/agent", "does not begin"),
        (" spiffe://acme.example/agent", "does not begin"),
        ("spiffe://", "no trust domain"),
        ("spiffe:///agent", "no trust domain"),
        ("spiffe://Acme.example/agent", "no trust domain"),
        ("spiffe://acme.example:443/agent", "no trust domain"),
        ("spiffe://user@acme.example/agent", "no trust domain"),
        ("spiffe://[::1]/agent", "no trust domain"),
        ("spiffe://" + "a" * 256 + "/x", "no trust domain"),
        ("spiffe://acme.example/", "empty segment"),
        ("spiffe://acme.example//agent", "empty segment"),
        ("spiffe://acme.example/agent/", "empty segment"),
        ("spiffe://acme.example/a/../b", "no path segment"),
        ("spiffe://acme.example/./b", "no path segment"),
        ("spiffe://acme.example/a%2Fb", "no path segment"),
        ("spiffe://acme.example/ä", "no path segment"),
        ("spiffe://acme.example/a\n", "no path segment"),
        ("spiffe://acme.example/a?b=c", "no query"),
        ("spiffe://acme.example/a#b", "no query"),
        ("spiffe://example/" + "a" * (2049 - 17), "at most 2048 bytes"),
        ("spiffe://example/\ud800", "no path segment"),
    ],
)
def test_what_is_none(text: str, why: str):
    with pytest.raises(FormatError, match=why):
        checked_spiffe_id(text)


@given(st.text(max_size=60), st.sampled_from(["", "spiffe://", "spiffe://a/"]))
def test_any_text_is_judged(text: str, head: str):
    with contextlib.suppress(FormatError):
        assert checked_spiffe_id(head + text).startswith("spiffe://")
