"""Compares two lists of address rules region by region."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from keepwall.decide.addresses import Network, is_name, network
from keepwall.decide.regions import Change, Turn, affordable
from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.envelope import AddressRule

Rules = tuple[Sequence[AddressRule], Effect]
_EVERY = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
_OTHER = -1
"""Stands for every port that no rule names."""
Peer = Network | str


def differing_peers(section: str, verb: str, old: Rules, new: Rules) -> Iterator[Change]:
    """Yield how what may be done with peers and ports changes; a host name is a peer of its own.

    Raises:
        ConfigError: there are too many rules to compare.
    """
    rules = (*old[0], *new[0])
    peers = _peers(rules)
    ports = sorted({port for rule in rules for port in rule.ports} | {_OTHER})
    affordable(len(peers) * len(ports) * max(len(rules), 1))
    turns = {
        peer: {port: Turn(_answer(old, peer, port), _answer(new, peer, port)) for port in ports}
        for peer in peers
    }
    for peer, found in turns.items():
        # The widest come first, so the last one around a peer is the nearest.
        around = next((p for p in reversed(peers) if p != peer and _contains(p, peer)), None)
        for turn in dict.fromkeys(found.values()):
            same = {port for port, each in found.items() if each == turn}
            if turn.sign is None or (
                around is not None and all(turns[around][port] == turn for port in same)
            ):
                continue
            words = f"{turn.verb} {verb} {_named(peer)} {_ports(same, ports)}"
            yield Change(section, turn.sign, words)


def _peers(rules: Iterable[AddressRule]) -> Sequence[Peer]:
    """Return the regions of peers: networks that are not made up of smaller ones, and names."""
    names = {rule.peer for rule in rules if is_name(rule.peer)}
    networks = {*_EVERY, *(found for rule in rules if (found := network(rule.peer)))}
    affordable(len(networks) ** 2)
    order = sorted(networks, key=lambda each: (each.version, each.prefixlen, each.network_address))
    regions: list[Peer] = [each for each in order if not _made_up(each, networks)]
    return [*regions, *sorted(names)]


def _made_up(whole: Network, networks: set[Network]) -> bool:
    """Return whether smaller networks cover all of `whole`, so that nothing is left for itself."""
    parts = [each for each in networks if each != whole and _contains(whole, each)]
    if isinstance(whole, ipaddress.IPv4Network):
        four = ipaddress.collapse_addresses(
            each for each in parts if isinstance(each, ipaddress.IPv4Network)
        )
        return list(four) == [whole]
    six = ipaddress.collapse_addresses(
        each for each in parts if isinstance(each, ipaddress.IPv6Network)
    )
    return list(six) == [whole]


def _contains(outer: Peer, inner: Peer) -> bool:
    if isinstance(outer, ipaddress.IPv4Network) and isinstance(inner, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(outer, ipaddress.IPv6Network) and isinstance(inner, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return outer == inner


def _answer(rules: Rules, peer: Peer, port: int) -> Effect:
    found: Effect | None = None
    for rule in rules[0]:
        if rule.ports and port not in rule.ports:
            continue
        named: Peer | None = rule.peer if isinstance(peer, str) else network(rule.peer)
        if rule.peer != "*" and (named is None or not _contains(named, peer)):
            continue
        if rule.action is Effect.DENY:
            return Effect.DENY
        found = found or rule.action
    return found or rules[1]


def _named(peer: Peer) -> str:
    if isinstance(peer, str):
        return peer
    if peer in _EVERY:
        return "any IPv4 address" if peer.version == 4 else "any IPv6 address"  # noqa: PLR2004
    single = peer.prefixlen == peer.max_prefixlen
    return str(peer.network_address if single else peer)


def _ports(same: set[int], ports: Sequence[int]) -> str:
    if _OTHER not in same:
        said = ", ".join(str(port) for port in sorted(same))
        return f"port{'' if len(same) == 1 else 's'} {said}"
    others = [str(port) for port in ports if port not in same]
    return "any port" + (f" (except {', '.join(others)})" if others else "")
