"""Each refusal of a run says how strong it was, and never more than was reached."""

from __future__ import annotations

import os

import pytest
from fenced import World

from keepwall.enforce.runtime import probe
from keepwall.enforce.runtime.compile import plan
from keepwall.vocabulary.decision import Plane, Strength, Tier
from keepwall.vocabulary.envelope import (
    Envelope,
    FileSection,
    NetworkSection,
    PathRule,
    ProcessSection,
)

pytestmark = pytest.mark.real

ATTEMPTS = """
import subprocess
print('secret', refused(lambda: open(SECRET).read()))
print('carved', refused(lambda: open(ROOT + '/open/private/note').read()))
print('write', refused(lambda: open(ROOT + '/open/new', 'w').close()))
print('remove', refused(lambda: os.unlink(PUBLIC)))
print('start', refused(lambda: subprocess.run(['/bin/cat', '/dev/null']).returncode))
print('mode', refused(lambda: os.chmod(SECRET, 0o644)))
with socket.socket() as s: print('connect', refused(s.connect, ('127.0.0.1', 9)))
with socket.socket() as s: print('listen', refused(s.bind, ('127.0.0.1', 0)))
print('datagrams', refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()))
"""
NAMES = ("secret", "carved", "write", "remove", "start", "mode", "connect", "listen", "datagrams")


def attempt(world: World, **changes: object) -> tuple[dict[str, str], list[dict[str, object]]]:
    """Return what became of each attempt, and the events."""
    private = world.root / "open/private"
    private.mkdir()
    (private / "note").write_text(world.canary)
    world.own()
    result = world.python(ATTEMPTS, deny=[f"{private}/**"], **changes)
    said = dict(line.split(" ", 1) for line in result.out.splitlines() if " " in line)
    assert set(said) == set(NAMES), result.text
    return said, result.events


def outcomes(world: World) -> dict[str, Strength]:
    """Return what `compile` promises of each rule of that envelope."""
    spec = world.spec(deny=[f"{world.root}/open/private/**"])
    envelope = Envelope(
        "test",
        (Plane.RUNTIME, Plane.NETWORK),
        process=ProcessSection(tuple(map(PathRule, spec["execute"]))),
        file=FileSection(
            tuple(map(PathRule, spec["read"])),
            tuple(map(PathRule, spec["write"])),
            tuple(map(PathRule, spec["deny"])),
        ),
        network=NetworkSection(),
    )
    return {each.rule: each.strength for each in plan(envelope, probe.support()).outcomes}


def test_what_was_prevented_did_not_happen_and_no_more_is_claimed_than_was_compiled(world: World):
    said, events = attempt(world)
    assert all(each.startswith("refused") for each in said.values()), said
    refusals = [event for event in events if event["effect"] == "deny"]
    assert len(refusals) >= len(NAMES)
    promised = outcomes(world)
    for event in refusals:
        strength = Strength(str(event["strength"]))
        assert Tier(str(event["tier"])) is not Tier.NONE
        assert strength.rank >= Strength.KILLED_LATE.rank, event
        rule = str(event["rule"])
        section = "network:default" if rule.startswith("network.") else rule
        assert strength.rank <= promised[section].rank, (event, promised)


def test_what_is_only_observed_claims_nothing(world: World):
    said, events = attempt(world, mode="observe")
    assert world.canary in said["secret"]
    assert world.canary in said["carved"]
    assert said["start"] == "done: 0"
    assert events
    for event in events:
        assert (event["effect"], event["strength"]) == ("audit", "seen-only"), event


def test_without_landlock_nothing_that_happened_is_called_prevented(world: World):
    """As on an old kernel, with the weak rules accepted: files are seen, the network is held."""
    said, events = attempt(world, landlock=0)
    assert world.canary in said["secret"]
    claimed = {event["target"]: event["strength"] for event in events if event["effect"] == "deny"}
    seen = [event for event in events if event["target"] == str(world.root / "secret/canary")]
    assert {
        (event["effect"], event["strength"]) for event in seen if event["activity"] == "read"
    } == {("audit", "seen-only")}
    started = [event for event in events if event["target"] == os.path.realpath("/bin/cat")]
    assert "prevented" not in {event["strength"] for event in started}, started
    assert said["connect"].startswith("refused")
    assert claimed["127.0.0.1:9"] == "prevented"
