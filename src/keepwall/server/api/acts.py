"""The orders of the API: contain and release."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool

from keepwall.server.api import reads
from keepwall.server.queries import Query
from keepwall.server.services import Services
from keepwall.vocabulary.incident import Incident

Act = Callable[[Services, str, Query], Awaitable[Incident]]


async def contain(services: Services, incident_id: str, query: Query) -> Incident:
    """Contain the subject of an incident on every plane, and return the incident as it is then."""
    incident = await run_in_threadpool(reads.incident, services, incident_id, query)
    await services.actions.contain(incident.subject, incident.id)
    return await run_in_threadpool(reads.incident, services, incident_id, query)


async def release(services: Services, incident_id: str, query: Query) -> Incident:
    """Lift the containment of an incident, and return the incident as it is then."""
    incident = await run_in_threadpool(reads.incident, services, incident_id, query)
    await services.actions.release(incident.id)
    return await run_in_threadpool(reads.incident, services, incident_id, query)
