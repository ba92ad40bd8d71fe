"""Triage: a person decides about findings, and the ledger keeps who and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from keepwall.foundation.clock import Clock
from keepwall.foundation.store.store import Store
from keepwall.foundation.store.triage import Triage, TriageState
from keepwall.prove.record import EvidenceRecorder
from keepwall.vocabulary.decision import Strength
from keepwall.vocabulary.errors import KeepwallError
from keepwall.vocabulary.evidence import Evidence
from keepwall.vocabulary.finding import Finding

MOST_AT_ONCE = 200
LONGEST = timedelta(days=366)
"""How far ahead an acceptance may expire: what nobody looks at again is not accepted."""
_TEXT = 2000
_OWNER = 200


class TriageError(KeepwallError):
    """The decision cannot be taken as it stands; the message says what is missing."""


class UnknownFindingError(TriageError):
    """The decision is about a finding that the store does not hold."""


@dataclass(frozen=True, slots=True)
class TriageOrder:
    """What is decided about some findings, by fingerprint."""

    fingerprints: tuple[str, ...]
    state: TriageState
    reason: str = ""
    owner: str = ""
    until: datetime | None = None


def triage(
    store: Store, evidence: EvidenceRecorder, clock: Clock, order: TriageOrder, actor: str
) -> Sequence[Triage]:
    """Record a decision of `actor` about each finding in the ledger, then in the store.

    Raises:
        UnknownFindingError: a finding is not known; nothing was decided.
        TriageError: a reason, owner or date is missing or wrong; nothing was decided.
        KeepwallError: the ledger or the store did not take it.
    """
    now = clock.now()
    _check(order, now)
    known = [_known(store, each) for each in dict.fromkeys(order.fingerprints)]
    accepted = order.state is TriageState.ACCEPTED
    decisions = [
        Triage(
            each.fingerprint,
            order.state,
            actor,
            now,
            order.reason.strip(),
            order.owner.strip() if accepted else "",
            order.until if accepted else None,
        )
        for each in known
    ]
    for decided, finding in zip(decisions, known, strict=True):
        evidence.record(_evidence(decided, finding))
    store.triage.decide(decisions)
    return decisions


def _check(order: TriageOrder, now: datetime) -> None:
    if order.state is TriageState.FIXED:
        raise TriageError(
            "nobody declares a finding fixed: a scan that no longer sees it does",
            hint="fix it and scan again",
        )
    if not 1 <= len(order.fingerprints) <= MOST_AT_ONCE:
        raise TriageError(f"choose between 1 and {MOST_AT_ONCE} findings")
    if len(order.reason) > _TEXT or len(order.owner) > _OWNER:
        raise TriageError(f"a reason has at most {_TEXT} characters, an owner {_OWNER}")
    if order.state is not TriageState.OPEN and not order.reason.strip():
        raise TriageError(f"{order.state} needs a reason")
    if order.state is not TriageState.ACCEPTED:
        return
    if not order.owner.strip():
        raise TriageError("an acceptance needs an owner", hint="someone who answers for it")
    if order.until is None:
        raise TriageError("an acceptance needs a day on which it expires")
    if order.until.tzinfo is None:
        raise TriageError("the day of expiry needs a time zone", hint="such as 2027-01-31T00:00Z")
    if not now < order.until <= now + LONGEST:
        raise TriageError(f"an acceptance expires within {LONGEST.days} days from now")


def _known(store: Store, fingerprint: str) -> Finding:
    found = store.findings.get(fingerprint)
    if found is None:
        raise UnknownFindingError(
            f"there is no finding {fingerprint[:64]!r}", hint="nothing was decided"
        )
    return found


def _evidence(decided: Triage, finding: Finding) -> Evidence:
    """Return the record; a decision enforces nothing, so its strength claims nothing."""
    detail = {
        "actor": decided.actor,
        "rule": finding.rule,
        "severity": finding.severity.value,
        "reason": decided.reason,
        "owner": decided.owner,
        "until": decided.until.isoformat() if decided.until else None,
    }
    return Evidence(
        f"ev-{uuid4()}",
        "finding.triage",
        decided.fingerprint,
        decided.at,
        decided.state.value,
        Strength.SEEN_ONLY,
        detail,
    )
