"""Questions about findings, and what is decided about them."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool

from keepwall.foundation.store.finding_search import FoundFinding, state_of
from keepwall.foundation.store.triage import Triage
from keepwall.server.api.paging import existing, page
from keepwall.server.api.shapes import Page
from keepwall.server.queries import FindingsQuery, Query
from keepwall.server.services import Services
from keepwall.workflows.triage import TriageOrder


def findings(services: Services, _id: str, query: FindingsQuery) -> Page[FoundFinding]:
    """Return findings: those that expose most first, then the worst."""
    now = services.clock.now()
    found = services.store.finding_search.find(
        query.filter(now), now, limit=query.limit + 1, offset=query.offset
    )
    return page(found, "/findings", query, offset=query.offset + query.limit)


def finding(services: Services, fingerprint: str, _query: Query) -> FoundFinding:
    """Return one finding with where it stands."""
    store = services.store
    found = existing(store.findings.get(fingerprint), "finding", fingerprint)
    seen = existing(store.findings.seen(fingerprint), "finding", fingerprint)
    decided = store.triage.of([fingerprint]).get(fingerprint)
    asset = store.inventory.asset(found.asset)
    state = state_of(seen.until, decided, services.clock.now())
    return FoundFinding(found, state, seen, asset.owner if asset else "", decided)


def decisions(services: Services, fingerprint: str, query: Query) -> Page[Triage]:
    """Return what was decided about a finding, newest first."""
    finding(services, fingerprint, query)
    return Page(services.store.triage.history(fingerprint))


async def decide(services: Services, actor: str, order: TriageOrder) -> Page[FoundFinding]:
    """Decide about findings: accepted until a day, false positive, or open again."""
    await services.actions.triage(order, actor)
    names = dict.fromkeys(order.fingerprints)
    return Page([await run_in_threadpool(finding, services, each, Query()) for each in names])
