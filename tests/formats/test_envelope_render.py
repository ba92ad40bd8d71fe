"""What is rendered is read back as the same envelope."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwall.formats.envelope.parse import parse
from keepwall.formats.envelope.render import render
from keepwall.vocabulary.decision import Effect, Plane, Strength
from keepwall.vocabulary.envelope import (
    AddressRule,
    DataSection,
    Envelope,
    FileSection,
    Mode,
    ModelRule,
    NetworkSection,
    PathRule,
    ProcessSection,
    Subject,
    ToolRule,
)
from keepwall.vocabulary.errors import ConfigError

WORDS = st.text(min_size=1, max_size=12) | st.sampled_from(
    ["yes", "no", "null", "~", "1", "1.5", "0x1", "1e3", "2001-01-01", "a: b", "- a", "#x", "'", '"',
     "{a}", "[a]", "*a", "&a", "!a", "|", ">", "%a", "@a", " a ", "a\nb", "on", "=", "<<", "é", "\u2028"]
)  # fmt: skip
NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0*?[]"), min_size=1, max_size=9
).filter(lambda name: name not in (".", ".."))
PATHS = st.builds(
    lambda parts, tree: "/" + "/".join(parts) + ("/**" if tree and parts else ""),
    st.lists(NAMES, max_size=4),
    st.booleans(),
)
EFFECTS = st.sampled_from(Effect)
PATH_RULES = st.lists(
    st.builds(PathRule, PATHS, EFFECTS, st.just("") | PATHS, st.booleans()), max_size=4
).map(tuple)
HOSTS = st.from_regex(r"[a-z][a-z0-9-]{0,9}(\.[a-z0-9-]{1,9}){0,3}", fullmatch=True)
V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).map(str)
NETWORKS = st.sampled_from(["10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "::/0", "10.1.2.3/32"])
PORTS = st.lists(st.integers(0, 65535), max_size=4).map(tuple)
ADDRESS_RULES = st.lists(
    st.builds(AddressRule, V4 | V6 | HOSTS | NETWORKS | st.just("*"), PORTS, EFFECTS), max_size=4
).map(tuple)
LISTEN = st.lists(
    st.builds(AddressRule, V4 | V6, st.just(()) | st.integers(0, 65535).map(lambda port: (port,))),
    max_size=4,
).map(tuple)
LEVELS = st.lists(
    st.sampled_from(["public", "internal", "confidential", "restricted"]), max_size=3
).map(tuple)
TEXTS = st.lists(WORDS, max_size=3).map(tuple)
# `<<` as a key is a merge for our reader, also in quotes; nobody labels anything so.
MAPS = st.dictionaries(WORDS.filter(lambda word: word != "<<"), WORDS.filter(bool), max_size=3)
SUBJECTS = st.one_of(
    st.just(Subject()),
    st.just(Subject(spiffe="spiffe://acme.example/a/b")),
    st.builds(lambda name: Subject(unit=name), WORDS),
    st.builds(lambda name: Subject(image=name), WORDS),
    st.builds(
        lambda name, selector: Subject(namespace=name, selector=selector),
        WORDS,
        MAPS.filter(bool),
    ),
)
ENVELOPES = st.builds(
    Envelope,
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?", fullmatch=True),
    st.lists(st.sampled_from(Plane), min_size=1, unique=True).map(tuple),
    SUBJECTS,
    MAPS,
    st.sampled_from(Mode),
    st.sampled_from(Strength),
    st.none() | st.builds(ProcessSection, PATH_RULES, TEXTS, EFFECTS),
    st.none() | st.builds(FileSection, PATH_RULES, PATH_RULES, PATH_RULES, EFFECTS),
    st.none() | st.builds(NetworkSection, ADDRESS_RULES, ADDRESS_RULES, LISTEN, EFFECTS),
    st.none() | st.lists(st.builds(ModelRule, WORDS, st.integers(0, 10**9)), max_size=3).map(tuple),
    st.none()
    | st.lists(st.builds(ToolRule, WORDS, WORDS, st.just("") | WORDS), max_size=3).map(tuple),
    st.none() | st.builds(DataSection, LEVELS, LEVELS, TEXTS),
)


@settings(max_examples=300)
@given(ENVELOPES)
def test_what_is_rendered_is_read_back(envelope: Envelope):
    assert parse(render(envelope).encode(), "e") == envelope


def test_nothing_that_is_unsaid_is_rendered():
    text = render(Envelope("a", (Plane.RUNTIME,), file=FileSection()))
    for absent in ("subject", "labels", "process", "network", "models", "deny", "default"):
        assert absent not in text


@pytest.mark.parametrize("path", ["/a\udcff", "/tmp/\udc80"])
def test_a_path_that_is_no_text_cannot_be_rendered_in_silence(path: str):
    """YAML holds text; what made the path has to leave it out and say so."""
    envelope = Envelope("a", (Plane.RUNTIME,), file=FileSection(read=(PathRule(path),)))
    with pytest.raises(ConfigError, match="cannot be written"):
        render(envelope)
