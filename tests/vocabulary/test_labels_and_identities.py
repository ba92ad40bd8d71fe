"""Labels only rise; a registration recognises what has all of its selectors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.vocabulary.identity import Registration
from keepwall.vocabulary.label import Label, Level

LABELS = st.builds(
    Label,
    st.sampled_from(Level),
    st.frozensets(st.sampled_from(["email", "iban", "ssn"])),
    st.frozensets(st.sampled_from(["/data/a", "tool:github"])),
)


@given(one=LABELS, two=LABELS, three=LABELS)
def test_labels_join_like_a_lattice(one: Label, two: Label, three: Label) -> None:
    assert one.raised(two) == two.raised(one)
    assert one.raised(two).raised(three) == one.raised(two.raised(three))
    assert one.raised(one) == one
    assert one.raised(two).raised(one) == one.raised(two)


@given(before=LABELS, read=LABELS)
def test_a_label_only_rises(before: Label, read: Label) -> None:
    after = before.raised(read)
    assert after.level.rank >= before.level.rank
    assert after.entities >= before.entities
    assert after.origins >= before.origins


def test_levels_are_ordered_from_public_to_restricted() -> None:
    assert [level.rank for level in Level] == [0, 1, 2, 3]
    assert Level.RESTRICTED.rank > Level.CONFIDENTIAL.rank > Level.INTERNAL.rank


SCORER = Registration("spiffe://acme.example/scorer", {"unit": "scorer", "user": "ml"}, "ml-team")


@pytest.mark.parametrize(
    ("seen", "recognised"),
    [
        ({"unit": "scorer", "user": "ml"}, True),
        ({"unit": "scorer", "user": "ml", "path": "/opt/scorer"}, True),
        ({"unit": "scorer"}, False),
        ({"unit": "scorer", "user": "root"}, False),
        ({}, False),
    ],
)
def test_every_selector_must_match(seen: dict[str, str], *, recognised: bool) -> None:
    assert SCORER.recognises(seen) is recognised


def test_a_registration_without_selectors_is_nobody() -> None:
    assert not Registration("spiffe://acme.example/any", {}, "x").recognises({"unit": "scorer"})
