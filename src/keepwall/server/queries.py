"""What may be asked: one struct per question, used by the API, its document and the console."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, TypeVar
from urllib.parse import parse_qsl, quote

import msgspec

from keepwall.foundation.store.asset_search import AssetFilter, AssetSort
from keepwall.foundation.store.finding_search import FindingFilter
from keepwall.foundation.store.triage import TriageState
from keepwall.vocabulary.asset import AssetKind
from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.errors import KeepwallError
from keepwall.vocabulary.incident import IncidentState
from keepwall.vocabulary.surface import Severity, Surface


class BadQueryError(KeepwallError):
    """The question cannot be understood; the message names the parameter."""


class NotFoundError(KeepwallError):
    """What was asked for does not exist."""


Text = Annotated[str, msgspec.Meta(max_length=200, description="Text to look for")]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=500, description="Most items in one answer")]
Offset = Annotated[int, msgspec.Meta(ge=0, le=10_000_000, description="Items to skip")]
Value = Annotated[str, msgspec.Meta(max_length=1024)]
Sequence = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question without parameters."""


class FacetsQuery(Query, frozen=True):
    """Which assets: a value per facet, ``(none)`` for those without one."""

    surface: Surface | None = None
    kind: AssetKind | None = None
    owner: Value = ""
    zone: Value = ""
    context: Value = ""
    target: Annotated[str, msgspec.Meta(max_length=4096, description="Target of a scan")] = ""
    search: Text = ""

    def filter(self) -> AssetFilter:
        """Return the question as the store takes it."""
        return AssetFilter(
            self.surface,
            self.kind,
            self.owner,
            self.zone,
            self.context,
            self.target,
            self.search,
        )


class AssetsQuery(FacetsQuery, frozen=True):
    """Which assets, in which order, after which place."""

    sort: AssetSort = AssetSort.NAME
    after: Annotated[
        str, msgspec.Meta(max_length=8192, description="Where the last page ended, as it said")
    ] = ""
    limit: Limit = 100


class GraphQuery(FacetsQuery, frozen=True):
    """Which assets to draw: one with its neighbours, or those of a filter that matter most."""

    asset: Annotated[str, msgspec.Meta(max_length=4096, description="Asset id")] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=5000, description="Most assets")] = 60


class AssetQuery(Query, frozen=True):
    """One asset; ids hold slashes and colons, so they travel as a parameter."""

    id: Id


class RelationsQuery(Query, frozen=True):
    """Edges of one asset, or all."""

    asset: Annotated[str, msgspec.Meta(max_length=4096, description="Asset id")] = ""


class StateChoice(StrEnum):
    """Which findings by where they stand."""

    OPEN = "open"
    ACCEPTED = "accepted"
    FALSE_POSITIVE = "false-positive"
    FIXED = "fixed"
    ANY = "any"


class FindingsQuery(Query, frozen=True):
    """Which findings; `owner` is that of the asset."""

    state: StateChoice = StateChoice.OPEN
    severity: Severity | None = None
    surface: Surface | None = None
    rule: Value = ""
    owner: Value = ""
    older: Annotated[
        int, msgspec.Meta(ge=0, le=3650, description="First seen at least so many days ago")
    ] = 0
    asset: Annotated[str, msgspec.Meta(max_length=4096, description="Asset id")] = ""
    search: Text = ""

    def filter(self, now: datetime) -> FindingFilter:
        """Return the question as the store takes it."""
        return FindingFilter(
            state=None if self.state is StateChoice.ANY else TriageState(self.state.value),
            severity=self.severity,
            surface=self.surface,
            rule=self.rule,
            owner=self.owner,
            asset=self.asset,
            search=self.search,
            before=now - timedelta(days=self.older) if self.older else None,
        )

    limit: Limit = 100
    offset: Offset = 0


class EventsQuery(Query, frozen=True):
    """Which events, newest first."""

    subject: Annotated[str, msgspec.Meta(max_length=1024, description="Exact subject")] = ""
    effect: Effect | None = None
    before: Annotated[
        Sequence | None, msgspec.Meta(description="Only events with a smaller sequence")
    ] = None
    limit: Limit = 100


class LiveQuery(Query, frozen=True):
    """Which events to stream, after which sequence."""

    subject: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    effect: Effect | None = None
    after: Sequence = 0


class IncidentsQuery(Query, frozen=True):
    """Which incidents, newest first."""

    state: IncidentState | None = None
    limit: Limit = 100


class ScansQuery(Query, frozen=True):
    """Which scans, newest first."""

    target: Annotated[str, msgspec.Meta(max_length=4096, description="Target of a scan")] = ""
    limit: Limit = 50


class DriftQuery(Query, frozen=True):
    """Two scans of one target, by id."""

    before: Id
    after: Id


class ChangesQuery(Query, frozen=True):
    """What happened to one asset (by id) or finding (by fingerprint)."""

    about: Id
    limit: Limit = 50


class ViewQuery(Query, frozen=True):
    """One saved view."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]


_FIELDS = 50
Q = TypeVar("Q", bound=msgspec.Struct)


def parse_query(query_string: bytes, kind: type[Q], *, strict: bool = True) -> Q:
    """Return the parameters of an address as a `kind`; empty ones count as absent.

    Bytes that are not UTF-8 become lone surrogates, as they are in the names of files. Unknown
    parameters are an error if `strict`, and left out otherwise.

    Raises:
        BadQueryError: a parameter is unknown, missing or out of its range; the message names it.
    """
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"), errors="surrogateescape", max_num_fields=_FIELDS
        )
        values = {name: value for name, value in pairs if strict or name in kind.__struct_fields__}
        if any("\0" in value for value in values.values()):
            raise BadQueryError("a parameter holds a NUL character")
        return msgspec.convert(values, kind, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadQueryError(
            f"the address holds a parameter that cannot be used: {error}",
            hint="remove it, or see the parameters in /api/v1/openapi.json",
        ) from error


def local_path(given: str) -> str:
    """Return `given` if it is a path of this server, else the root: no redirect leads elsewhere."""
    plain = given.isprintable() and given.isascii() and "\\" not in given
    return given if plain and given.startswith("/") and not given.startswith("//") else "/"


def quote_parameter(text: str) -> str:
    """Return `text` for use in an address, so that `parse_query` gives it back."""
    try:
        return quote(text, safe="", errors="surrogateescape")
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return quote(text, safe="", errors="backslashreplace")
