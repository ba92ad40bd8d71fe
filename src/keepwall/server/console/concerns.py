"""What else in the store concerns an asset: events and incidents of the same running thing.

An asset and a subject are the same thing only where that is certain: the asset carries the identity
as an attribute, or the subject is spelled from the asset's own key. Nothing is guessed from names.
"""

from __future__ import annotations

from dataclasses import dataclass

from keepwall.foundation.store.events import StoredEvent
from keepwall.foundation.store.store import Store
from keepwall.vocabulary.asset import Asset, AssetKind
from keepwall.vocabulary.incident import Incident

_FEW = 10
_INCIDENTS = 500


@dataclass(frozen=True, slots=True)
class Concerns:
    """The subjects that an asset runs as, and what happened to them."""

    subjects: tuple[str, ...] = ()
    events: tuple[StoredEvent, ...] = ()
    incidents: tuple[Incident, ...] = ()
    envelopes: tuple[str, ...] = ()


def subjects_of(asset: Asset) -> tuple[str, ...]:
    """Return the subjects of events under which `asset` runs; most assets have none."""
    found = [asset.attributes.get(name, "") for name in ("spiffe", "subject")]
    if unit := asset.attributes.get("unit", ""):
        found.append(f"unit:{unit}")
    if asset.kind is AssetKind.IMAGE:
        found.append(f"image:{asset.key}")
    return tuple(dict.fromkeys(each for each in found if each))


def concerns(store: Store, asset: Asset) -> Concerns:
    """Return what concerns `asset`, the newest first."""
    subjects = subjects_of(asset)
    if not subjects:
        return Concerns()
    events = [stored for each in subjects for stored in store.events.list(subject=each, limit=_FEW)]
    events.sort(key=lambda stored: -stored.sequence)
    incidents = [
        each for each in store.incidents.list(limit=_INCIDENTS) if each.subject in subjects
    ]
    envelopes = {stored.event.envelope for stored in events if stored.event.envelope}
    return Concerns(
        subjects, tuple(events[:_FEW]), tuple(incidents[:_FEW]), tuple(sorted(envelopes))
    )
