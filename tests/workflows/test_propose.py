"""From a refusal to the smallest rule: what is proposed, and what never is."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.formats.envelope.parse import parse
from keepwall.formats.envelope.render import render
from keepwall.respond.narrow import narrowed
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.envelope import Envelope, EnvelopeGeneration
from keepwall.vocabulary.errors import ConfigError
from keepwall.vocabulary.event import Activity, Event, EventClass
from keepwall.workflows.judge import Judge, blocked
from keepwall.workflows.propose import Proposal, Refusal, propose

BLOCK = """\
# kept: why this exists
apiVersion: keepwall.dev/v1
kind: Envelope
metadata: {name: claims}
spec:
  planes: [runtime, network]
  process:
    allow:
      - /opt/agent/bin  # the agent itself
  file:
    read:
      - /opt/agent/**
      - path: /opt/data
        action: audit
    write: [/var/lib/claims/**]
    deny: ["/opt/agent/private/**"]
  network:
    egress: [{to: 10.0.0.1, ports: [443]}, {to: 10.0.0.2, ports: [443]}]
    listen:
      - 127.0.0.1:8080
"""
EGRESS = "    egress: [{to: 10.0.0.1, ports: [443]}, {to: 10.0.0.2, ports: [443]}"
BARE = """\
apiVersion: keepwall.dev/v1
kind: Envelope
metadata: {name: claims}
spec: {planes: [runtime, network]}
"""


def event(activity: Activity, target: str, **changes: object) -> Event:
    socket = activity in (Activity.CONNECT, Activity.LISTEN, Activity.CREATE)
    return replace(
        Event(
            id="node:run:1",
            event_class=EventClass.NETWORK if socket else EventClass.FILE,
            activity=activity,
            at=datetime(2026, 3, 1, tzinfo=UTC),
            node="node",
            subject="run:claims",
            target=target,
            effect=Effect.DENY,
            plane=Plane.NETWORK if socket else Plane.RUNTIME,
            tier=Tier.LANDLOCK,
            strength=Strength.PREVENTED,
            message="refused",
            envelope="claims",
        ),
        **changes,
    )


def added_to(added: str, old: list[str]) -> str:
    """Return the line of the old file that holds the flow list which was added to."""
    return next(line for line in old if line.partition(":")[0] == added.partition(":")[0])


@pytest.mark.parametrize(
    ("what", "added"),
    [
        (event(Activity.READ, "/srv/new.txt"), "      - /srv/new.txt"),
        (event(Activity.WRITE, "/srv/out"), "    write: [/var/lib/claims/**, /srv/out]"),
        (event(Activity.DELETE, "/srv/out"), "    write: [/var/lib/claims/**, /srv/out]"),
        (event(Activity.EXECUTE, "/usr/bin/git"), "      - /usr/bin/git"),
        (
            event(Activity.CONNECT, "10.0.0.1:5432"),
            f"{EGRESS}, {{to: 10.0.0.1, ports: [5432]}}]",
        ),
        (
            event(Activity.CONNECT, "[2001:db8::1]:443"),
            f'{EGRESS}, {{to: "2001:db8::1", ports: [443]}}]',
        ),
        (event(Activity.LISTEN, "127.0.0.1:9090"), '      - "127.0.0.1:9090"'),
        (event(Activity.LISTEN, "[::1]:9090"), '      - "[::1]:9090"'),
        (
            event(Activity.CONNECT, "/run/app.sock"),
            "    write: [/var/lib/claims/**, /run/app.sock]",
        ),
        (event(Activity.READ, "/srv/a: #b\x1b'"), '      - "/srv/a: #b\\u001b\'"'),
    ],
)
def test_one_line_is_added_and_the_rest_stays(what: Event, added: str) -> None:
    found = propose(what, BLOCK.encode(), "claims.yaml")
    assert isinstance(found, Proposal)
    assert not found.rewritten
    old, new = BLOCK.splitlines(), found.text.splitlines()
    assert [line for line in new if line not in old] == [added]
    gone = [line for line in old if line not in new]
    assert gone == ([] if added.lstrip().startswith("- ") else [added_to(added, old)])
    assert "# kept: why this exists" in new
    verdict = Judge(parse(found.text.encode(), "after")).answer(what)
    assert verdict is not None
    assert verdict.allowed


@pytest.mark.parametrize(
    "what",
    [
        event(Activity.READ, "/srv/new.txt"),
        event(Activity.EXECUTE, "/usr/bin/git"),
        event(Activity.CONNECT, "10.0.0.1:5432"),
        event(Activity.LISTEN, "0.0.0.0:80"),
    ],
)
def test_without_a_list_to_add_to_the_file_is_rendered_anew(what: Event) -> None:
    found = propose(what, BARE.encode(), "claims.yaml")
    assert isinstance(found, Proposal)
    assert found.rewritten
    after = parse(found.text.encode(), "after")
    verdict = Judge(after).answer(what)
    assert verdict is not None
    assert verdict.allowed
    other = Judge(after).answer(replace(what, target=what.target + "1"))
    assert other is not None
    assert not other.allowed
    assert any("every address" in each for each in found.cautions) == what.target.startswith("0.0.")


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (event(Activity.READ, "/home/ada/.aws/credentials"), "a place of credentials"),
        (event(Activity.WRITE, "/home/ada/.ssh/authorized_keys"), r"\(/home/ada/\.ssh/\*\*\)"),
        (event(Activity.CREATE, "IPv4 datagrams (UDP)"), "only TCP is carried"),
        (event(Activity.EXECUTE, "/lib/ld.so", rule="process.loader"), "dynamic loader"),
        (event(Activity.READ, "/x", rule="file.deny:another name of it"), "another name"),
        (event(Activity.READ, "/opt/agent/private/key"), "deny beats allow"),
        (event(Activity.CONNECT, "@abstract"), "does not manage"),
        (event(Activity.READ, "/srv/[x]"), "no rule can say"),
        (event(Activity.READ, "/srv/x/**"), "no rule can say"),
        (event(Activity.READ, "/srv", effect=Effect.ALLOW), "nothing was refused"),
        (event(Activity.CALL, "github/push", plane=Plane.TOOLS), "the tools plane"),
    ],
)
def test_what_is_never_proposed(what: Event, why: str) -> None:
    found = propose(what, BLOCK.encode(), "claims.yaml")
    assert isinstance(found, Refusal)
    assert not found.settled
    assert re.search(why, found.reason), found.reason


def test_what_is_allowed_already_needs_no_proposal() -> None:
    found = propose(event(Activity.READ, "/opt/agent/x"), BLOCK.encode(), "claims.yaml")
    assert found == Refusal("claims.yaml allows it already (file.read:/opt/agent/**)", settled=True)


def test_the_envelope_of_another_subject_is_refused() -> None:
    with pytest.raises(ConfigError, match="is about the envelope other"):
        propose(event(Activity.READ, "/x", envelope="other"), BLOCK.encode(), "claims.yaml")


def test_what_an_incident_has_closed_stays_closed() -> None:
    stolen = event(Activity.CONNECT, "10.9.9.9:443")
    spec = render(narrowed(None, "claims", [stolen]))
    closed = EnvelopeGeneration("claims#narrowed", 4, spec, "incident inc-1")
    found = propose(stolen, BLOCK.encode(), "claims.yaml", [closed])
    assert isinstance(found, Refusal)
    assert "claims#narrowed generation 4 (incident inc-1)" in found.reason
    another = replace(stolen, target="10.9.9.8:443")
    assert isinstance(propose(another, BLOCK.encode(), "claims.yaml", [closed]), Proposal)


def test_a_published_generation_that_denies_it_too_is_said() -> None:
    team = EnvelopeGeneration("claims", 2, BLOCK, "applied")
    found = propose(event(Activity.READ, "/srv/x"), BLOCK.encode(), "claims.yaml", [team])
    assert isinstance(found, Proposal)
    assert ["claims generation 2" in each for each in found.cautions] == [True]


@given(st.text(max_size=40), st.sampled_from([Activity.READ, Activity.EXECUTE, Activity.CONNECT]))
def test_no_target_breaks_the_file_or_opens_more(target: str, activity: Activity) -> None:
    what = event(activity, "/" + target)
    found = propose(what, BLOCK.encode(), "claims.yaml")
    if isinstance(found, Refusal):
        return
    after = parse(found.text.encode("utf-8", "surrogateescape"), "after")
    before = parse(BLOCK.encode(), "before")
    assert _rules(after) - _rules(before) <= {"/" + target}


def _rules(envelope: Envelope) -> set[str]:
    assert envelope.file
    assert envelope.process
    lists = (envelope.file.read, envelope.file.write, envelope.file.deny, envelope.process.allow)
    return {rule.path for rules in lists for rule in rules}


def test_what_would_have_been_blocked_counts_each_event_once() -> None:
    envelope = parse(BLOCK.encode(), "claims.yaml")
    events = [
        event(Activity.READ, "/srv/x", id="n:r:1", count=3),
        event(Activity.READ, "/srv/x", id="n:r:1", count=3),
        event(Activity.READ, "/srv/x", id="n:r:2", effect=Effect.AUDIT),
        event(Activity.READ, "/opt/agent/x", id="n:r:3"),
        event(Activity.CONNECT, "10.0.0.1:443", id="n:r:4"),
        event(Activity.CONNECT, "10.0.0.1:80", id="n:r:5"),
        event(Activity.CALL, "github/push", id="n:r:6", plane=Plane.TOOLS),
        event(Activity.EXECUTE, "/lib/ld.so", id="n:r:7", rule="process.loader"),
    ]
    found = [(each.event.target, each.rule, each.times) for each in blocked(envelope, events)]
    assert found == [
        ("/srv/x", "file.read:default", 4),
        ("/lib/ld.so", "process.loader", 1),
        ("10.0.0.1:80", "network.egress:default", 1),
    ]


def test_an_unmanaged_plane_blocks_nothing() -> None:
    text = BARE.replace("runtime, network", "gateway")
    envelope = parse(text.encode(), "claims.yaml")
    events = [event(Activity.READ, "/x"), event(Activity.CONNECT, "10.0.0.1:1", id="n:r:2")]
    assert blocked(envelope, events) == []
