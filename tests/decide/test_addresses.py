from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.decide.addresses import AddressSet, is_name, network, normal, overlap
from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.envelope import AddressRule

PEERS = st.sampled_from(
    ["*", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "127.0.0.1", "::1", "fd00::/8", "fd00::1",
     "::ffff:10.1.2.3", "::ffff:10.0.0.0/104", "0.0.0.0/0", "::/0"]
)  # fmt: skip
PORTS = st.lists(st.sampled_from([22, 80, 443]), max_size=2, unique=True).map(tuple)
RULES = st.builds(AddressRule, PEERS, PORTS, st.sampled_from(Effect))
ALLOWS = st.builds(AddressRule, PEERS, PORTS, st.sampled_from([Effect.ALLOW, Effect.AUDIT]))
ADDRESSES = st.sampled_from(
    ["10.1.2.3", "10.9.9.9", "127.0.0.1", "192.0.2.1", "::1", "fd00::1", "fd99::", "2001:db8::1"]
).map(ipaddress.ip_address)


def matches(rule: AddressRule, address: object, port: int) -> bool:
    return AddressSet.of([rule]).match(address, port) is not None


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "::1"),
        ("::ffff:0.0.0.0", "127.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("10.1.2.3", "10.1.2.3"),
        ("::127.0.0.1", "::7f00:1"),
    ],
)
def test_the_address_that_is_really_meant(asked: str, meant: str):
    assert normal(ipaddress.ip_address(asked)) == ipaddress.ip_address(meant)


@given(st.lists(RULES, max_size=5), ADDRESSES, st.sampled_from([22, 80, 5000]))
def test_deny_beats_allow_in_any_order(rules: list[AddressRule], address: object, port: int):
    fitting = [rule for rule in rules if matches(rule, address, port)]
    for order in (rules, rules[::-1]):
        found = AddressSet.of(order).match(address, port)
        assert (found is None) == (not fitting)
        if any(rule.action is Effect.DENY for rule in fitting):
            assert found.action is Effect.DENY


@pytest.mark.parametrize("peer", ["::ffff:10.1.2.3", "::ffff:10.0.0.0/104"])
def test_a_denial_in_mapped_form_denies_what_it_maps(peer: str):
    found = AddressSet.of([AddressRule("*"), AddressRule(peer, (), Effect.DENY)])
    assert found.match(ipaddress.ip_address("10.1.2.3"), 1).action is Effect.DENY
    assert found.match(ipaddress.ip_address("11.1.2.3"), 1).action is Effect.ALLOW


@given(ALLOWS, ALLOWS, ADDRESSES, st.sampled_from([22, 80, 5000]))
def test_an_overlap_is_exactly_what_both_allow(
    left: AddressRule, right: AddressRule, address: object, port: int
):
    both, other = overlap(left, right), overlap(right, left)
    assert (both is None) == (other is None)
    expected = matches(left, address, port) and matches(right, address, port)
    assert (both is not None and matches(both, address, port)) == expected
    if both is not None:
        assert matches(other, address, port) == expected
        audited = Effect.AUDIT in (left.action, right.action)
        assert both.action is (Effect.AUDIT if audited else Effect.ALLOW)


def test_names_are_for_the_egress_proxy():
    assert is_name("gateway.internal")
    assert not is_name("*")
    assert not is_name("10.0.0.0/8")
    assert network("gateway.internal") is None
    assert not AddressSet.of([AddressRule("gateway.internal")]).rules
    same = overlap(
        AddressRule("gateway.internal", (443, 80)), AddressRule("gateway.internal", (443,))
    )
    assert same == AddressRule("gateway.internal", (443,))
    assert overlap(AddressRule("a.internal"), AddressRule("b.internal")) is None
    assert overlap(AddressRule("a.internal"), AddressRule("*")) == AddressRule("a.internal")
