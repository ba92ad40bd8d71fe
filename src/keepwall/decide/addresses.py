"""Address rules: who may be reached and where may be listened, on addresses only."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.envelope import AddressRule

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_MAPPED_PREFIX = 96


def network(peer: str) -> Network | None:
    """Return the network that a peer names, or None for a host name or ``*``.

    A network of IPv4-mapped addresses is the IPv4 network inside, as for addresses (`normal`).
    """
    try:
        found = ipaddress.ip_network(peer, strict=False)
    except ValueError:
        return None
    mapped = getattr(found.network_address, "ipv4_mapped", None)
    if mapped is None or found.prefixlen < _MAPPED_PREFIX:
        return found
    return ipaddress.IPv4Network((mapped, found.prefixlen - _MAPPED_PREFIX))


def is_name(peer: str) -> bool:
    """Return whether a peer is a host name, which only the egress proxy can decide."""
    return peer != "*" and network(peer) is None


def normal(address: Address) -> Address:
    """Return the address that is really meant.

    ``::ffff:a.b.c.d`` is the IPv4 address inside; connecting to the unspecified address reaches
    the loopback address on Linux.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return normal(address.ipv4_mapped)
        if address.is_unspecified:
            return ipaddress.IPv6Address("::1")
        return ipaddress.IPv6Address(int(address))  # without a scope id
    return ipaddress.IPv4Address("127.0.0.1") if address.is_unspecified else address


@dataclass(frozen=True, slots=True)
class AddressSet:
    """Address rules of one direction; deny beats allow, whatever the order."""

    rules: tuple[tuple[AddressRule, Network | None], ...] = ()

    @classmethod
    def of(cls, rules: Iterable[AddressRule]) -> AddressSet:
        """Return the set of those `rules` that addresses can decide; host names are left out."""
        return cls(tuple((rule, network(rule.peer)) for rule in rules if not is_name(rule.peer)))

    def match(self, address: Address, port: int) -> AddressRule | None:
        """Return the rule that answers for a peer: a denying one first, then an allowing one."""
        found: AddressRule | None = None
        for rule, net in self.rules:
            if rule.ports and port not in rule.ports:
                continue
            if net is not None and (net.version != address.version or address not in net):
                continue
            if rule.action is Effect.DENY:
                return rule
            found = found or rule
        return found


def overlap(left: AddressRule, right: AddressRule) -> AddressRule | None:
    """Return the rule that allows what both allow, or None for nothing."""
    if left.ports and right.ports:
        ports = tuple(sorted(set(left.ports) & set(right.ports)))
        if not ports:
            return None
    else:
        ports = left.ports or right.ports
    action = Effect.AUDIT if Effect.AUDIT in (left.action, right.action) else Effect.ALLOW
    if "*" in (left.peer, right.peer):
        peer = right.peer if left.peer == "*" else left.peer
        return AddressRule(peer, ports, action)
    a, b = network(left.peer), network(right.peer)
    if a is None or b is None:
        return AddressRule(left.peer, ports, action) if left.peer == right.peer else None
    if a.version != b.version or not a.overlaps(b):
        return None
    narrow = a if a.prefixlen >= b.prefixlen else b
    single = narrow.prefixlen == narrow.max_prefixlen
    return AddressRule(str(narrow.network_address if single else narrow), ports, action)
