"""Composition is never wider than either side, whatever is asked about."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwall.decide.composition import compose
from keepwall.decide.paths import PathSet
from keepwall.enforce.runtime.policy import NetworkPolicy
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
    ToolRule,
)

ORDER = (Effect.ALLOW, Effect.AUDIT, Effect.DENY)
EFFECTS = st.sampled_from(Effect)
PATHS = st.sampled_from(["/**", "/a", "/a/**", "/a/b", "/a/b/**", "/a/b/c", "/ab/**", "/x"])
PATH_RULES = st.lists(st.builds(PathRule, PATHS, EFFECTS), max_size=3).map(tuple)
DENIES = st.lists(st.builds(PathRule, PATHS), max_size=2).map(tuple)
PEERS = st.sampled_from(["*", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "::1", "fd00::/8"])
PORTS = st.sampled_from([(), (80,), (80, 443)])
ADDRESS_RULES = st.lists(st.builds(AddressRule, PEERS, PORTS, EFFECTS), max_size=3).map(tuple)
FILES = st.none() | st.builds(FileSection, PATH_RULES, PATH_RULES, DENIES, EFFECTS)
PROCESSES = st.none() | st.builds(
    ProcessSection, PATH_RULES, st.sampled_from([(), ("KILL",), ("CHOWN", "KILL")]), EFFECTS
)
NETWORKS = st.none() | st.builds(
    NetworkSection, ADDRESS_RULES, ADDRESS_RULES, ADDRESS_RULES, EFFECTS
)
NAMES = st.sampled_from(["gpt-4o", "gpt-4o*", "gpt-*", "*", "claude"])
MODELS = st.none() | st.lists(
    st.builds(ModelRule, NAMES, st.sampled_from([0, 5, 9])), max_size=3
).map(tuple)
TOOLS = st.none() | st.lists(
    st.builds(
        ToolRule, st.sampled_from("gh"), st.sampled_from("rw"), st.sampled_from(["", "x", "y"])
    ),
    max_size=3,
).map(tuple)
LEVELS = st.lists(st.sampled_from(["public", "internal"]), unique=True, max_size=2).map(tuple)
DATA = st.none() | st.builds(DataSection, LEVELS, LEVELS, LEVELS)
PLANES = st.sets(
    st.sampled_from([Plane.RUNTIME, Plane.NETWORK, Plane.GATEWAY, Plane.TOOLS]), min_size=1
).map(lambda found: tuple(plane for plane in Plane if plane in found))
ENVELOPES = st.builds(
    Envelope,
    st.just("e"),
    PLANES,
    mode=st.sampled_from(Mode),
    minimum_strength=st.sampled_from(Strength),
    process=PROCESSES,
    file=FILES,
    network=NETWORKS,
    models=MODELS,
    tools=TOOLS,
    data=DATA,
)
POINTS = st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/a/z", "/ab", "/ab/c", "/x", "/x/y", "/q"])
ADDRESSES = st.sampled_from(["10.1.2.3", "10.9.0.1", "192.0.2.1", "::1", "fd00::1"])


def ask_path(envelope: Envelope, use: str, path: str) -> Effect:
    """What an envelope says of a path; allows everything on a plane that it does not list."""
    if Plane.RUNTIME not in envelope.planes:
        return Effect.ALLOW
    if use == "execute":
        section = envelope.process or ProcessSection()
        rules, denied, default = section.allow, (), section.default
    else:
        found = envelope.file or FileSection()
        rules = found.read if use == "read" else found.write
        denied, default = found.deny, found.default
    denials = [*denied, *(rule for rule in rules if rule.action is Effect.DENY)]
    if PathSet.of(denials, str).match(path):
        return Effect.DENY
    allows = [
        rule.action
        for rule in rules
        if rule.action is not Effect.DENY and PathSet.of([rule], str).match(path)
    ]
    return min(allows, key=ORDER.index) if allows else default


def ask_address(envelope: Envelope, address: str, port: int) -> Effect:
    if Plane.NETWORK not in envelope.planes:
        return Effect.ALLOW
    return NetworkPolicy.of(envelope.network).reach(ipaddress.ip_address(address), port).effect


@settings(max_examples=400)
@given(ENVELOPES, ENVELOPES, st.sampled_from(["read", "write", "execute"]), POINTS)
def test_a_path_is_allowed_exactly_where_both_allow_it(
    one: Envelope, two: Envelope, use: str, path: str
):
    sides = [ask_path(one, use, path), ask_path(two, use, path)]
    expected = Effect.DENY in sides
    for both in (compose([one, two]), compose([two, one])):
        assert (ask_path(both, use, path) is Effect.DENY) is expected


@settings(max_examples=400)
@given(ENVELOPES, ENVELOPES, ADDRESSES, st.sampled_from([80, 443, 22]))
def test_an_address_is_reached_exactly_where_both_allow_it(
    one: Envelope, two: Envelope, address: str, port: int
):
    sides = [ask_address(one, address, port), ask_address(two, address, port)]
    for both in (compose([one, two]), compose([two, one])):
        assert (ask_address(both, address, port) is Effect.DENY) is (Effect.DENY in sides)


@given(ENVELOPES, ENVELOPES)
def test_the_rest_is_no_wider_than_either(one: Envelope, two: Envelope):
    for both in (compose([one, two]), compose([two, one])):
        assert set(both.planes) == {*one.planes, *two.planes}
        assert (both.mode is Mode.OBSERVE) == (one.mode is two.mode is Mode.OBSERVE)
        assert both.minimum_strength.rank == max(
            one.minimum_strength.rank, two.minimum_strength.rank
        )
        for side in (one, two):
            if Plane.RUNTIME in side.planes:
                kept = set(both.process.capabilities) if both.process else set()
                assert kept <= (set(side.process.capabilities) if side.process else set())
            if Plane.TOOLS in side.planes:
                tools = {(rule.server, rule.tool) for rule in both.tools or ()}
                assert tools <= {(rule.server, rule.tool) for rule in side.tools or ()}
                assert (both.tools is None) or side.tools is not None
            if Plane.GATEWAY in side.planes:
                assert _models(both) <= _models(side)
                if both.data:
                    assert side.data
                    assert set(both.data.read) <= set(side.data.read)
                    assert set(both.data.egress) <= set(side.data.egress)
                    assert set(both.data.mask) >= set(side.data.mask)


def _models(envelope: Envelope) -> set[str]:
    """Which of some names an envelope allows."""
    asked = ("gpt-4o", "gpt-4o-mini", "gpt-5", "claude", "other")
    rules = [rule.name for rule in envelope.models or ()]
    return {
        name
        for name in asked
        if any(name == rule or (rule[-1] == "*" and name.startswith(rule[:-1])) for rule in rules)
    }


@given(ENVELOPES, POINTS, ADDRESSES)
def test_an_envelope_with_itself_is_itself(one: Envelope, path: str, address: str):
    twice = compose([one, one])
    for use in ("read", "write", "execute"):
        before, after = ask_path(one, use, path), ask_path(twice, use, path)
        assert (before is Effect.DENY) == (after is Effect.DENY)
    assert (ask_address(twice, address, 80) is Effect.DENY) == (
        ask_address(one, address, 80) is Effect.DENY
    )
    assert compose([one]) == one


def test_a_plane_that_one_lists_is_bound_by_that_one():
    closed = Envelope("closed", (Plane.RUNTIME,))
    other = Envelope("other", (Plane.NETWORK,), file=FileSection(read=(PathRule("/**"),)))
    for both in (compose([closed, other]), compose([other, closed])):
        assert both.file is None
        assert both.network is None


def test_a_denial_for_one_program_does_not_replace_one_for_all():
    for order in (1, -1):
        rules = (PathRule("/a", Effect.DENY), PathRule("/a", Effect.DENY, "/bin/x"))[::order]
        sides = [
            Envelope("e", (Plane.RUNTIME,), file=FileSection(deny=(rule,), default=Effect.ALLOW))
            for rule in rules
        ]
        assert PathRule("/a", Effect.DENY) in compose(sides).file.deny


def test_the_lower_rate_and_both_conditions_hold():
    one = Envelope(
        "e",
        (Plane.GATEWAY, Plane.TOOLS),
        models=(ModelRule("gpt-*", 9),),
        tools=(ToolRule("gh", "r", "a"),),
    )
    two = Envelope(
        "e",
        (Plane.GATEWAY, Plane.TOOLS),
        models=(ModelRule("gpt-4o", 5),),
        tools=(ToolRule("gh", "r", "b"),),
    )
    both = compose([one, two])
    assert both.models == (ModelRule("gpt-4o", 5),)
    assert both.tools == (ToolRule("gh", "r", "(a) && (b)"),)


@pytest.mark.parametrize("order", [1, -1])
def test_what_one_side_watches_is_watched(order: int):
    sides = [
        Envelope("e", (Plane.RUNTIME,), file=FileSection(read=(PathRule("/a/**", effect),)))
        for effect in (Effect.ALLOW, Effect.AUDIT)
    ]
    assert compose(sides[::order]).file.read == (PathRule("/a/**", Effect.AUDIT),)
