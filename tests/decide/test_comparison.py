"""Comparing envelopes by meaning: exact, checked against asking both about random points."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwall.decide.addresses import AddressSet
from keepwall.decide.comparison import Direction, compare
from keepwall.decide.paths import PathSet
from keepwall.formats.envelope.parse import parse
from keepwall.vocabulary.decision import Effect, Plane
from keepwall.vocabulary.envelope import (
    AddressRule,
    Envelope,
    FileSection,
    NetworkSection,
    PathRule,
)
from keepwall.vocabulary.errors import ConfigError

HEAD = """
apiVersion: keepwall.dev/v1
kind: Envelope
metadata: {name: claims}
spec:
  planes: [runtime, network, gateway, tools]
"""


def changes(old: str, new: str, head: str = HEAD) -> tuple[list[str], Direction]:
    found = compare(parse((head + old).encode(), "old"), parse((head + new).encode(), "new"))
    return [f"{each.section}: {each}" for each in found.changes], found.direction


@pytest.mark.parametrize(
    ("old", "new", "said", "direction"),
    [
        (
            '  file: {read: ["/a/**"], write: []}',
            '  file: {read: ["/a/b/**", "/a/**"], write: []}',
            [],
            Direction.SAME,
        ),
        (
            '  file: {read: ["/a/**"]}',
            '  file: {read: ["/a/**"], deny: ["/a/secret/**"]}',
            ["file: - allows read /a/secret/**"],
            Direction.NARROWER,
        ),
        (
            '  file: {read: ["/a/x"], deny: ["/a/secret/**"]}',
            '  file: {read: ["/a/**"], deny: ["/a/secret/**"]}',
            ["file: + allows read /a/** (except /a/secret/**)"],
            Direction.WIDER,
        ),
        (
            '  file: {write: ["/a"]}',
            '  file: {write: ["/b"]}',
            ["file: - allows write /a", "file: + allows write /b"],
            Direction.BOTH,
        ),
        (
            '  file: {read: ["/a/**"]}',
            '  file: {read: [{path: "/a/**", action: audit}]}',
            ["file: ~ watches read /a/**"],
            Direction.REWORDED,
        ),
        (
            '  file: {read: ["/a"]}',
            '  file: {read: [{path: "/a", from: /usr/bin/x}]}',
            ["file: - allows read /a"],
            Direction.NARROWER,
        ),
        (
            "  process: {allow: []}",
            '  process: {allow: ["/usr/bin/x"], capabilities: [NET_RAW]}',
            [
                "process: + allows start /usr/bin/x",
                "process: + the capability NET_RAW",
                "file: + allows read /usr/bin/x",
            ],
            Direction.WIDER,
        ),
        (
            "  network: {egress: [{to: 10.0.0.0/8, ports: [443]}]}",
            "  network: {egress: [{to: 10.1.0.0/16, ports: [443, 80]}]}",
            [
                "network: - allows connect to 10.0.0.0/8 port 443",
                "network: + allows connect to 10.1.0.0/16 port 80",
            ],
            Direction.BOTH,
        ),
        (
            "  network: {egress: [{to: 10.0.0.0/8}]}",
            "  network: {egress: [{to: 10.0.0.0/9}, {to: 10.128.0.0/9}]}",
            [],
            Direction.SAME,
        ),
        (
            '  network: {listen: ["127.0.0.1:8080"]}',
            '  network: {listen: ["0.0.0.0:*"], egress: [{to: "x.example", ports: [1]}]}',
            [
                "network: + allows connect to x.example port 1",
                "network: + allows listen on 0.0.0.0 any port",
                "network: - allows listen on 127.0.0.1 port 8080",
            ],
            Direction.BOTH,
        ),
        (
            '  models: [{name: "gpt*", tokensPerMinute: 10}]',
            '  models: [{name: "gpt*", tokensPerMinute: 5}, {name: "gpt-4"}]',
            [
                "models: - gpt*: 10 → 5 tokens per minute",
                "models: + gpt-4: 10 → unlimited tokens per minute",
            ],
            Direction.BOTH,
        ),
        (
            "  tools: [{server: git, tool: push, when: a}]",
            "  tools: [{server: git, tool: push, when: b}]",
            ["tools: ± call git/push under other conditions"],
            Direction.BOTH,
        ),
        (
            "  tools: [{server: git, tool: push}]",
            "  tools: [{server: git, tool: push, when: b}, {server: git, tool: pull}]",
            [
                "tools: - call git/push under more conditions",
                "tools: + call git/pull",
            ],
            Direction.BOTH,
        ),
        (
            "  data: {read: [public], egress: [], mask: [iban]}",
            "  data: {read: [public], egress: [public], mask: []}",
            ["data: + sending out data labelled public", "data: + shows iban unmasked"],
            Direction.WIDER,
        ),
        ("  mode: enforce", "  mode: observe", None, Direction.WIDER),
        ("  minimumStrength: prevented", "  minimumStrength: blind", None, Direction.REWORDED),
    ],
)
def test_changes_are_said(old: str, new: str, said: list[str] | None, direction: Direction) -> None:
    found, way = changes(old, new)
    assert way is direction, found
    if said is not None:
        assert found == said


def test_a_plane_that_is_no_longer_managed_is_wider() -> None:
    old = parse((HEAD + '  file: {read: ["/a"]}').encode(), "old")
    less = HEAD.replace("runtime, ", "")
    found = compare(old, parse(less.encode(), "new"))
    assert found.direction is Direction.WIDER
    assert "+ leaves runtime unmanaged" in [str(each) for each in found.changes]


def test_too_many_rules_are_refused_and_not_compared_for_ever() -> None:
    rules = tuple(AddressRule(f"10.{n >> 8}.{n & 255}.1", (n,)) for n in range(3000))
    envelope = Envelope("x", (Plane.NETWORK,), network=NetworkSection(egress=rules))
    with pytest.raises(ConfigError, match="too many rules"):
        compare(envelope, envelope)


NAMES = st.sampled_from(["a", "b", "ab"])
PLACES = st.lists(NAMES, max_size=3).map(lambda parts: "/" + "/".join(parts))
PATHS = st.builds(
    PathRule,
    st.one_of(PLACES, PLACES.map(lambda path: path.rstrip("/") + "/**")),
    st.sampled_from(list(Effect)),
)
FILES = st.builds(
    FileSection,
    read=st.lists(PATHS, max_size=5).map(tuple),
    deny=st.lists(PATHS, max_size=2).map(tuple),
    default=st.sampled_from(list(Effect)),
)


def reads(section: FileSection, path: str) -> bool:
    denied = [*section.deny, *(rule for rule in section.read if rule.action is Effect.DENY)]
    allowed = [rule for rule in section.read if rule.action is not Effect.DENY]
    if PathSet.of(denied).match(path):
        return False
    rule = PathSet.of(allowed).match(path)
    return (rule.action if rule else section.default) is not Effect.DENY


@settings(max_examples=400, deadline=None)
@given(FILES, FILES, st.lists(st.sampled_from(["a", "b", "ab", "c"]), max_size=4))
def test_no_path_changes_unsaid(old: FileSection, new: FileSection, parts: list[str]) -> None:
    envelopes = [Envelope("x", (Plane.RUNTIME,), file=each) for each in (old, new)]
    signs = {str(each.sign) for each in compare(*envelopes).changes if "read" in each.what}
    path = "/" + "/".join(parts)
    before, after = reads(old, path), reads(new, path)
    assert (not after or before) or "+" in signs
    assert (not before or after) or "-" in signs


@settings(max_examples=200, deadline=None)
@given(FILES, FILES)
def test_what_is_said_is_true_of_some_path(old: FileSection, new: FileSection) -> None:
    envelopes = [Envelope("x", (Plane.RUNTIME,), file=each) for each in (old, new)]
    signs = {str(each.sign) for each in compare(*envelopes).changes if "read" in each.what}
    names = ["", "/a", "/b", "/ab", "/c"]
    points = {
        (one + two + three + four) or "/"
        for one in names
        for two in names
        for three in names
        for four in names
    }
    turns = {(reads(old, path), reads(new, path)) for path in points}
    assert ("+" in signs) == ((False, True) in turns)
    assert ("-" in signs) == ((True, False) in turns)


PEERS = st.builds(
    AddressRule,
    st.sampled_from(["10.0.0.0/30", "10.0.0.0/31", "10.0.0.2/31", "10.0.0.1", "*", "0.0.0.0/0"]),
    st.sampled_from([(), (80,), (443,), (80, 443)]),
    st.sampled_from(list(Effect)),
)
NETWORKS = st.builds(
    NetworkSection,
    egress=st.lists(PEERS, max_size=4).map(tuple),
    default=st.sampled_from(list(Effect)),
)


@settings(max_examples=300, deadline=None)
@given(NETWORKS, NETWORKS)
def test_signs_of_peers_are_exact(old: NetworkSection, new: NetworkSection) -> None:
    envelopes = [Envelope("x", (Plane.NETWORK,), network=each) for each in (old, new)]
    found = compare(*envelopes).changes
    signs = {str(each.sign) for each in found if "connect" in each.what}
    points = [ipaddress.ip_address(f"10.0.0.{last}") for last in range(6)]
    points.append(ipaddress.ip_address("::5"))
    turns = set()
    for point in points:
        for port in (80, 443, 9):
            answers = []
            for section in (old, new):
                rule = AddressSet.of(section.egress).match(point, port)
                answers.append((rule.action if rule else section.default) is not Effect.DENY)
            turns.add(tuple(answers))
    assert ("+" in signs) == ((False, True) in turns)
    assert ("-" in signs) == ((True, False) in turns)
