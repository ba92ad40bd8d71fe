"""What a person may set in motion from the console or the API; the control plane provides it."""

from __future__ import annotations

from typing import Protocol

from keepwall.workflows.triage import TriageOrder


class Actions(Protocol):
    """Orders to the planes, and decisions. All are idempotent and leave a record of what was done.

    Raises:
        KeepwallError: the order could not be carried out; nothing is half done silently.
    """

    async def contain(self, subject: str, incident: str) -> None:
        """Contain `subject` on every plane because of the incident with this id."""
        ...

    async def release(self, incident: str) -> None:
        """Lift the containment of the incident with this id."""
        ...

    async def triage(self, order: TriageOrder, actor: str) -> None:
        """Record what `actor` decides about findings, in the ledger and in the store."""
        ...
