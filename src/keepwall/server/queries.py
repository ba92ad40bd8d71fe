"""What may be asked: one struct per question, used by the API, its document and the console."""

from __future__ import annotations

from typing import Annotated, TypeVar
from urllib.parse import parse_qsl, quote

import msgspec

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
Sequence = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question without parameters."""


class AssetsQuery(Query, frozen=True):
    """Which assets."""

    kind: AssetKind | None = None
    surface: Surface | None = None
    search: Text = ""
    limit: Limit = 100
    offset: Offset = 0


class AssetQuery(Query, frozen=True):
    """One asset; ids hold slashes and colons, so they travel as a parameter."""

    id: Id


class RelationsQuery(Query, frozen=True):
    """Edges of one asset, or all."""

    asset: Annotated[str, msgspec.Meta(max_length=4096, description="Asset id")] = ""


class FindingsQuery(Query, frozen=True):
    """Which findings."""

    severity: Severity | None = None
    surface: Surface | None = None
    asset: Annotated[str, msgspec.Meta(max_length=4096, description="Asset id")] = ""
    search: Text = ""
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
    """How many scans, newest first."""

    limit: Limit = 50


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


def quote_parameter(text: str) -> str:
    """Return `text` for use in an address, so that `parse_query` gives it back."""
    try:
        return quote(text, safe="", errors="surrogateescape")
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return quote(text, safe="", errors="backslashreplace")
