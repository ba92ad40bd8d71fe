"""Every detector proves itself on its own examples; no value leaks; time stays linear."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.content.checks import CHECKS
from keepwall.content.detectors import Detector, catalogue
from keepwall.content.secrets import find_secrets, mask_secrets

DETECTORS = catalogue().detectors
MEGABYTE = 1_000_000


def test_there_are_at_least_forty_kinds_with_unique_ids_and_known_checks():
    ids = [detector.id for detector in DETECTORS]
    assert len(ids) >= 40
    assert len(set(ids)) == len(ids)
    assert {detector.check for detector in DETECTORS} <= set(CHECKS)


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda each: each.id)
def test_positive_examples_match_this_detector_alone(detector: Detector):
    for example in detector.positive:
        assert [match.detector for match in find_secrets(example)] == [detector.id], example


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda each: each.id)
def test_negative_examples_match_no_detector_at_all(detector: Detector):
    for example in detector.negative:
        assert find_secrets(example) == [], example


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda each: each.id)
def test_a_value_is_found_again_in_the_middle_of_a_file(detector: Detector):
    text = f"# İstanbul\nfirst = 1\n{detector.positive[0]}\nlast = 2\n"
    (match,) = find_secrets(text)
    value = text[match.start : match.end]
    assert match.line == text.count("\n", 0, match.start) + 1
    assert match.masked == f"{value[:4]}…"
    assert value in detector.positive[0]
    assert value not in repr(match)


@pytest.mark.parametrize(
    "value",
    ["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "changeme", "example-key-1234567", "<your-key>", "${KEY}",
     "$KEY", "{{ .Values.key }}", 'os.environ["KEY"]', 'os.getenv("KEY")', "process.env.KEY",
     "********************", "secretKeyRef", "vault:secret/data/claims#key-2024-01"],
)  # fmt: skip
@pytest.mark.parametrize("shape", ['api_key = "{}"', "API_KEY={}", "api_key: {}", "sk-{}"])
def test_placeholders_and_references_never_match(shape: str, value: str):
    assert find_secrets(shape.format(value)) == []


@pytest.mark.parametrize("before", ["\\n", "\x1b[31m", "\x1b[1;32m", "=", "(", '"', "é", "\u200b"])
def test_what_stands_before_a_credential_does_not_hide_it(before: str):
    (example,) = (each.positive[0] for each in DETECTORS if each.id == "github-token")
    assert [match.detector for match in find_secrets(before + example)] == ["github-token"]


def test_masking_leaves_the_rest_of_the_text():
    (example,) = (each.positive[0] for each in DETECTORS if each.id == "github-token")
    assert mask_secrets(f"a {example} b {example}") == "a ghp_… b ghp_…"


def test_the_same_value_has_the_same_digest_and_another_one_another():
    (example,) = (each.positive[0] for each in DETECTORS if each.id == "github-token")
    first, second, third = find_secrets(f"{example}\n{example}\n{example[:-1]}Z")
    assert first.digest == second.digest != third.digest
    assert (first.line, second.line, third.line) == (1, 2, 3)


@pytest.mark.parametrize(
    "text",
    [
        "a" * MEGABYTE,
        "api_key=" * (MEGABYTE // 8),
        "sk-" * (MEGABYTE // 3),
        "sk-proj-" + "A1b2-" * (MEGABYTE // 5),
        "eyJ" * (MEGABYTE // 3),
        "eyJhbGciOi." * (MEGABYTE // 11),
        "-----BEGIN PRIVATE KEY-----" * (MEGABYTE // 27),
        "://" * (MEGABYTE // 3),
        "password='" * (MEGABYTE // 10),
        "wandb" + " " * MEGABYTE,
        "openai = " * (MEGABYTE // 9),
        '"private_key": "' * (MEGABYTE // 16),
        "\n" * MEGABYTE,
    ],
    ids=lambda text: text[:12],
)
def test_one_hostile_megabyte_on_one_line_takes_bounded_time(text: str):
    started = time.process_time()
    find_secrets(text)
    assert time.process_time() - started < 6


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda each: each.id)
def test_keywords_and_almost_matches_repeated_take_bounded_time(detector: Detector):
    almost = detector.positive[0][:-1]
    text = "".join(unit * (MEGABYTE // 5 // len(unit)) for unit in (*detector.keywords, almost))
    started = time.process_time()
    find_secrets(text)
    assert time.process_time() - started < 2 * (len(detector.keywords) + 1)


@given(st.text())
def test_any_text_is_read_without_an_error_and_offsets_are_inside_it(text: str):
    for match in find_secrets(text):
        assert 0 <= match.start < match.end <= len(text)


@given(
    st.text(max_size=20).filter(lambda text: not text[-1:].isalnum() and text[-1:] not in "_-+/~.=")
)
def test_text_before_a_credential_does_not_hide_it(before: str):
    (example,) = (each.positive[0] for each in DETECTORS if each.id == "hugging-face")
    assert "hugging-face" in {match.detector for match in find_secrets(f"{before}\n{example}")}


def test_no_other_character_than_the_known_one_grows_in_lower_case():
    assert [chr(code) for code in range(0x110000) if len(chr(code).lower()) > 1] == ["\u0130"]
