from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from keepwall.enforce.runtime.policy import FilePolicy, NetworkPolicy, Use, rule_name
from keepwall.vocabulary.decision import Effect, Plane
from keepwall.vocabulary.envelope import (
    AddressRule,
    Envelope,
    FileSection,
    NetworkSection,
    PathRule,
    ProcessSection,
)


def policy(file: FileSection | None = None, process: ProcessSection | None = None) -> FilePolicy:
    envelope = Envelope("e", (Plane.RUNTIME,), file=file, process=process)
    return FilePolicy.of(envelope, ((Use.READ, "/dev/null"),))


def test_an_absent_section_denies_all_but_the_baseline():
    found = policy()
    assert found.decide(Use.READ, "/dev/null").allowed
    for use in Use:
        assert found.decide(use, "/etc/passwd").effect is Effect.DENY
        assert found.decide(use, "/etc/passwd").rule == f"{use}:default"


def test_deny_beats_allow_for_every_use():
    found = policy(
        FileSection((PathRule("/a/**"),), (PathRule("/a/**"),), (PathRule("/a/b/**"),)),
        ProcessSection((PathRule("/a/**"),)),
    )
    for use in Use:
        assert found.decide(use, "/a/x").allowed
        assert found.decide(use, "/a/b").rule == "file.deny:/a/b/**"


def test_a_program_is_readable_and_what_may_not_be_read_is_no_program():
    found = policy(
        FileSection(read=(PathRule("/bin/secret", Effect.DENY),)),
        ProcessSection((PathRule("/bin/**"),)),
    )
    assert found.decide(Use.READ, "/bin/true").allowed
    assert not found.decide(Use.EXECUTE, "/bin/secret").allowed
    assert not found.decide(Use.WRITE, "/bin/true").allowed


def test_a_rule_with_a_condition_allows_nobody_here():
    """It is beyond this tier; accepting it as weaker must not open it to everyone."""
    for rule in (PathRule("/a/**", source="/bin/x"), PathRule("/a/**", owner=True)):
        found = policy(FileSection((rule,), (rule,)))
        assert not found.decide(Use.READ, "/a/b").allowed
        assert not found.decide(Use.WRITE, "/a/b").allowed


def test_a_link_means_what_it_points_to_unless_the_subject_may_have_made_it(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    link, data = f"{tmp_path}/link", f"{tmp_path}/data"
    trusted = policy(FileSection((PathRule(f"{link}/**"),)))
    assert trusted.decide(Use.READ, f"{data}/x").allowed
    planted = policy(FileSection((PathRule(f"{link}/**"),), (PathRule(link),)))
    assert not planted.decide(Use.READ, f"{data}/x").allowed
    denied = policy(FileSection((PathRule(f"{data}/**"),), (), (PathRule(f"{link}/**"),)))
    assert not denied.decide(Use.READ, f"{data}/x").allowed


@pytest.mark.parametrize(
    ("address", "port", "effect", "rule"),
    [
        ("10.0.0.1", 443, Effect.ALLOW, "network.egress:10.0.0.0/8:443"),
        ("10.0.0.1", 80, Effect.DENY, "network.egress:default"),
        ("10.0.0.9", 443, Effect.DENY, "network.egress:10.0.0.9:*"),
        ("::1", 1, Effect.AUDIT, "network.egress:::1:*"),
    ],
)
def test_whom_may_be_reached(address: str, port: int, effect: Effect, rule: str):
    found = NetworkPolicy.of(
        NetworkSection(
            (
                AddressRule("10.0.0.0/8", (443,)),
                AddressRule("10.0.0.9", (), Effect.DENY),
                AddressRule("::1", (), Effect.AUDIT),
            )
        )
    )
    verdict = found.reach(ipaddress.ip_address(address), port)
    assert (verdict.effect, verdict.rule) == (effect, rule)


def test_listening_on_one_address_is_not_listening_on_all():
    found = NetworkPolicy.of(NetworkSection(listen=(AddressRule("127.0.0.1", (80,)),)))
    assert found.offer(ipaddress.ip_address("127.0.0.1"), 80).allowed
    assert not found.offer(ipaddress.ip_address("0.0.0.0"), 80).allowed
    assert not found.offer(ipaddress.ip_address("127.0.0.1"), 0).allowed
    assert not NetworkPolicy.of(None).reach(ipaddress.ip_address("127.0.0.1"), 80).allowed
    assert rule_name("x", AddressRule("a", (1, 2))) == "x:a:1,2"
