"""Findings: the list with triage, the page of one, and decisions."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from keepwall.foundation.store.finding_search import FindingFilter
from keepwall.foundation.store.triage import TriageState
from keepwall.server.api.findings import finding as found_finding
from keepwall.server.console.address import address
from keepwall.server.console.views.paging import turned
from keepwall.server.console.views.saved import saved
from keepwall.server.queries import FindingsQuery, Query, StateChoice, local_path, parse_query
from keepwall.server.services import asker, services_of
from keepwall.vocabulary.errors import ConnectError, KeepwallError
from keepwall.workflows.triage import LONGEST, TriageError, TriageOrder

_FIELDS = 300
AGES = (7, 30, 90, 365)


def findings(request: Request) -> Response:
    """Return the list of findings, what exposes most first, filtered."""
    query = parse_query(request.scope["query_string"], FindingsQuery, strict=False)
    return _list(request, query, None)


def _list(request: Request, query: FindingsQuery, error: KeepwallError | None) -> Response:
    services = services_of(request)
    store, now = services.store, services.clock.now()
    wanted = query.filter(now)
    found = store.finding_search.find(wanted, now, limit=query.limit + 1, offset=query.offset)
    context: dict[str, object] = {
        "query": query,
        "findings": found[: query.limit],
        "matching": store.finding_search.count(wanted, now),
        "turned": turned(query, len(found)),
        "counts": store.finding_search.severities(now),
        "by_state": store.finding_search.states(now),
        "choices": [each.value for each in StateChoice],
        "rules": [rule for rule, _ in store.finding_search.rules()],
        "owners": store.finding_search.owners(),
        "ages": AGES,
        "scanned": bool(store.scans.list(limit=1)),
        "here": "/findings" + address(query, offset=""),
        "views": saved(request, "/findings"),
        "error": error,
        **_days(now),
    }
    return services.pages.render(
        request, "findings.html", context, status=200 if error is None else _status(error)
    )


def finding(request: Request) -> Response:
    """Return one finding."""
    return _one(request, None)


def _one(request: Request, error: KeepwallError | None) -> Response:
    services = services_of(request)
    store, now = services.store, services.clock.now()
    fingerprint = request.path_params["id"]
    found = found_finding(services, fingerprint, Query())
    siblings = FindingFilter(rule=found.finding.rule, state=TriageState.OPEN)
    context = {
        "found": found,
        "finding": found.finding,
        "seen": found.seen,
        "asset": store.inventory.asset(found.finding.asset),
        "decisions": store.triage.history(fingerprint),
        "changes": store.changes.about(fingerprint),
        "same_rule": store.finding_search.count(siblings, now),
        "error": error,
        **_days(now),
    }
    return services.pages.render(
        request, "finding.html", context, status=200 if error is None else _status(error)
    )


async def triage(request: Request) -> Response:
    """Decide about the findings that a form names, and go back to where it was."""
    form = await request.form(max_files=0, max_fields=_FIELDS)
    back = local_path(str(form.get("next", ""))) if form.get("next") else "/findings"
    try:
        await services_of(request).actions.triage(_order(form), asker(request))
    except KeepwallError as error:
        if "id" in request.path_params:
            return await run_in_threadpool(_one, request, error)
        raw = back.partition("?")[2].encode() if back.startswith("/findings?") else b""
        query = parse_query(raw, FindingsQuery, strict=False)
        return await run_in_threadpool(_list, request, query, error)
    return RedirectResponse(back, 303)


def _order(form: FormData) -> TriageOrder:
    given = str(form.get("state", ""))
    if given not in tuple(TriageState):
        raise TriageError("choose what is decided")
    return TriageOrder(
        fingerprints=tuple(str(each) for each in form.getlist("fingerprint")),
        state=TriageState(given),
        reason=str(form.get("reason", "")),
        owner=str(form.get("owner", "")),
        until=_until(str(form.get("until", ""))),
    )


def _until(text: str) -> datetime | None:
    """Return the end of the day that a date field names, in UTC; an acceptance holds through it."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        return datetime.combine(day, time(), UTC) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise TriageError("the day of expiry is not a date") from error


def _days(now: datetime) -> dict[str, str]:
    """Return the first, the suggested and the last day on which an acceptance may expire."""
    today = now.date()
    return {
        "first_day": (today + timedelta(days=1)).isoformat(),
        "suggested_day": (today + timedelta(days=90)).isoformat(),
        "last_day": (today + LONGEST - timedelta(days=1)).isoformat(),
    }


def _status(error: KeepwallError) -> int:
    return 503 if isinstance(error, ConnectError) else 400
