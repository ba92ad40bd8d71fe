"""Every detector proves itself on its own examples; no value leaks; time stays linear."""

from __future__ import annotations

import random
import re
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.content.checks import CHECKS
from keepwall.content.detectors import Detector, catalogue
from keepwall.content.examples import example as made_up
from keepwall.content.prefilter import HyperscanPrefilter, Prefilter, Re2Prefilter
from keepwall.content.secrets import find_secrets, find_secrets_in_bytes, mask_secrets
from keepwall.content.validators import VALIDATORS, Confidence

DETECTORS = catalogue().detectors
MEGABYTE = 1_000_000


def test_there_are_at_least_110_kinds_with_unique_ids_and_known_checks():
    ids = [detector.id for detector in DETECTORS]
    assert len(ids) >= 110
    assert len(set(ids)) == len(ids)
    assert {detector.check for detector in DETECTORS} <= set(CHECKS)
    assert {detector.validator for detector in DETECTORS} <= {*VALIDATORS, ""}


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


def one_of(kind: str) -> str:
    return next(each.positive[0] for each in DETECTORS if each.id == kind)


def test_several_credentials_on_one_line_are_found_each():
    values = [one_of(kind) for kind in ("groq", "github-token", "groq", "slack-token")]
    values[2] = values[2][:-1] + "Z"
    matches = find_secrets(" ".join(values))
    assert [each.detector for each in matches] == ["groq", "github-token", "groq", "slack-token"]
    assert len({each.digest for each in matches}) == 4
    url = "client_secret=" + made_up("%mixed(24)%") + "&refresh_token=1//0" + made_up("%mixed(54)%")
    assert [each.detector for each in find_secrets(url)] == ["generic-key", "google-refresh-token"]


def test_values_that_documentation_prints_are_no_credentials():
    start = "c8de56fa4deed24899803e93c227592aef6538f93025fe0"
    assert find_secrets(f"http://localhost:8888/?token={start}1") == []
    assert [each.detector for each in find_secrets(f"http://localhost:8888/?token={start}2")] == [
        "jupyter"
    ]


def test_a_checksum_that_holds_is_certain_and_one_that_does_not_is_doubtful_but_found():
    good = one_of("github-token")
    bad = good[:-1] + ("a" if good[-1] != "a" else "b")
    assert [each.confidence for each in find_secrets(f"{good} {bad} {one_of('groq')}")] == [
        Confidence.CERTAIN,
        Confidence.DOUBTFUL,
        Confidence.LIKELY,
    ]


@pytest.mark.parametrize("text", ["é", "日本", "\U0001f600", " "])
def test_offsets_count_characters_in_a_text_and_bytes_in_bytes(text: str):
    token = one_of("groq")
    (in_text,) = find_secrets(f"{text}\n{token}{text}\n")
    assert (in_text.start, in_text.end) == (len(text) + 1, len(text) + 1 + len(token))
    (in_bytes,) = find_secrets_in_bytes(f"{text}\n{token}{text}\n".encode())
    assert in_bytes.start == len(text.encode()) + 1


KEYWORDS = catalogue().keywords


def engines() -> list[Prefilter]:
    fast = HyperscanPrefilter.of(KEYWORDS)
    assert fast is not None, "hyperscan is a dependency on this platform"
    return [fast, Re2Prefilter.of(KEYWORDS)]


def test_both_engines_find_the_same_in_everything_that_the_catalogue_knows():
    parts = [each for detector in DETECTORS for each in (*detector.positive, *detector.negative)]
    chance = random.Random(7)  # noqa: S311 - an order, not a secret
    for _ in range(40):
        chance.shuffle(parts)
        data = chance.choice(["\n", " ", "é", "", ","]).join(parts).encode()
        with_hyperscan, with_re2 = (find_secrets_in_bytes(data, each) for each in engines())
        assert with_hyperscan == with_re2
        assert len(with_hyperscan) > 20


@given(st.lists(st.sampled_from([*KEYWORDS, b"=", b'"', b"A1b2", b"\n", b"\xff"]), max_size=60))
def test_both_engines_report_the_same_places(parts: list[bytes]):
    seen: list[list[tuple[int, int]]] = []
    for engine in engines():
        places: list[tuple[int, int]] = []
        engine.scan(b"".join(parts).upper(), lambda word, at, to=places: to.append((word, at)))
        seen.append(sorted(places))
    assert seen[0] == seen[1]


def test_without_hyperscan_the_portable_engine_is_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    assert HyperscanPrefilter.of(KEYWORDS) is None


def test_no_keyword_of_a_detector_holds_another_of_it():
    for detector in DETECTORS:
        for word in detector.keywords:
            others = [each for each in detector.keywords if each != word and each in word]
            assert not others, (detector.id, word, others)


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda each: each.id)
def test_no_match_looks_at_more_than_the_declared_width(detector: Detector):
    parser = re._parser  # type: ignore[attr-defined]  # the widths of a pattern are shown nowhere else
    tree = parser.parse(detector.source.encode())
    ahead = max((each[1][1].getwidth()[1] for each in walk(tree) if str(each[0]) == "ASSERT"
                 and each[1][0] == 1), default=0)  # fmt: skip
    negated = max((each[1][1].getwidth()[1] for each in walk(tree) if str(each[0]) == "ASSERT_NOT"
                   and each[1][0] == 1), default=0)  # fmt: skip
    assert tree.getwidth()[1] + max(ahead, negated) <= detector.lead + detector.max_width


def walk(tree):
    for each in tree:
        yield each
        for part in re_parts(each[1]):
            yield from walk(part)


def re_parts(value):
    if type(value).__name__ == "SubPattern":
        yield value
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from re_parts(each)


def test_a_stream_can_run_nearly_every_detector():
    wide = {detector.id for detector in DETECTORS if detector.block_only}
    assert wide <= {"private-key", "putty-key", "gcp-service-account", "kubeconfig", "jwt"}


def test_openssh_keys_with_their_runs_of_zero_bytes_are_found():
    body = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW"
    key = f"-----BEGIN OPENSSH PRI{'VATE'} KEY-----\n{body}\n{made_up('%mixed(64)%')}\n"
    (match,) = find_secrets(key)
    assert (match.detector, match.confidence) == ("private-key", Confidence.CERTAIN)


@pytest.mark.parametrize(
    "line",
    [
        'const apiKey = "{}";',
        'String API_KEY = "{}";',
        "api_key: '{}'",
        "api_key => '{}',",
        "let api_key = `{}`",
        'apiKey := "{}"',
        "export API_KEY={}",
        '"api_key": "{}"',
        r"{{\"api_key\": \"{}\"}}",
        "?api_key={}&x=1",
        "API_KEY = {} # of the claims team",
    ],
)
def test_the_generic_detector_knows_the_assignments_of_every_language(line: str):
    (match,) = find_secrets(line.format(made_up("%mixed(32)%")))
    assert match.detector == "generic-key"


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda each: each.id)
def test_nothing_that_is_shown_of_a_match_holds_its_value(detector: Detector):
    for text in detector.positive:
        for match in find_secrets(text):
            value = text[match.start : match.end]
            shown = f"{match!r} {mask_secrets(text)}"
            assert value not in shown
            assert not re.search(re.escape(value[5:13]), shown) or value.count(value[5:13]) == 0
