"""The tables, as the newest migration leaves them.

A column exists for what is filtered or sorted; the word itself is JSON in `body`. `origin` is the
key of the target of a scan.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator

HEAD = "0003"
"""The revision that this program writes and reads."""


class Moment(TypeDecorator[datetime]):
    """An aware time, in UTC on the way in and on the way out; SQLite itself knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time as the database takes it.

        Raises:
            ValueError: the time is naive, so nobody knows when it was.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time needs a time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the stored time, aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


KEY = String(32)
WORD = String(32)
# Byte order on both engines, whatever the locale of a PostgreSQL cluster is.
SORTED = Text().with_variant(Text(collation="C"), "postgresql")
SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")

METADATA = MetaData()

scans = Table(
    "scans",
    METADATA,
    Column("sequence", SEQUENCE, primary_key=True),
    Column("key", KEY, nullable=False, unique=True),
    Column("origin", KEY, nullable=False),
    Column("body", Text, nullable=False),
    Column("unread", Text, nullable=False),
    Index("scans_origin", "origin", "sequence"),
    sqlite_autoincrement=True,
)
assets = Table(
    "assets",
    METADATA,
    Column("key", KEY, primary_key=True),
    Column("kind", WORD, nullable=False),
    Column("surface", WORD, nullable=False),
    Column("name", SORTED, nullable=False),
    Column("haystack", Text, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("gone_at", Moment),
    Column("body", Text, nullable=False),
    Column("owner", SORTED, nullable=False, server_default=""),
    Column("zone", SORTED, nullable=False, server_default=""),
    Column("context", SORTED, nullable=False, server_default=""),
)
sightings = Table(
    "sightings",
    METADATA,
    Column("origin", KEY, primary_key=True),
    Column(
        "asset",
        KEY,
        ForeignKey("assets.key", deferrable=True, initially="DEFERRED"),
        primary_key=True,
    ),
    Column("seen_at", Moment, nullable=False),
    Column("body", Text, nullable=False),
    Index("sightings_asset", "asset"),
)
relations = Table(
    "relations",
    METADATA,
    Column("origin", KEY, primary_key=True),
    Column("key", KEY, primary_key=True),
    Column("source", KEY, nullable=False),
    Column("target", KEY, nullable=False),
    Column("body", Text, nullable=False),
    Index("relations_key", "key"),
    Index("relations_source", "source"),
    Index("relations_target", "target"),
)
findings = Table(
    "findings",
    METADATA,
    Column("key", KEY, primary_key=True),
    Column("rank", Integer, nullable=False),
    Column("surface", WORD, nullable=False),
    Column("rule", SORTED, nullable=False),
    Column("asset", KEY, nullable=False),
    Column("haystack", Text, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("resolved_at", Moment),
    Column("body", Text, nullable=False),
    Column("exposure", Integer, nullable=False, server_default="0"),
    Index("findings_asset", "asset"),
)
finding_sightings = Table(
    "finding_sightings",
    METADATA,
    Column("origin", KEY, primary_key=True),
    Column(
        "finding",
        KEY,
        ForeignKey("findings.key", deferrable=True, initially="DEFERRED"),
        primary_key=True,
    ),
    Index("finding_sightings_finding", "finding"),
)
triage = Table(
    "triage",
    METADATA,
    Column("finding", KEY, primary_key=True),  # outlives the finding: it may come back
    Column("state", WORD, nullable=False),
    Column("until", Moment),
    Column("body", Text, nullable=False),
)
triage_steps = Table(
    "triage_steps",
    METADATA,
    Column("sequence", SEQUENCE, primary_key=True),
    Column("finding", KEY, nullable=False),
    Column("body", Text, nullable=False),
    Index("triage_steps_finding", "finding", "sequence"),
)
changes = Table(
    "changes",
    METADATA,
    Column("sequence", SEQUENCE, primary_key=True),
    Column("origin", KEY, nullable=False),
    Column("scan", KEY, nullable=False),
    Column("about", KEY, nullable=False),  # an asset or a finding
    Column("body", Text, nullable=False),
    Index("changes_scan", "origin", "scan"),
    Index("changes_about", "about", "sequence"),
)
views = Table(
    "views",
    METADATA,
    Column("user", KEY, primary_key=True),
    Column("key", KEY, primary_key=True),
    Column("body", Text, nullable=False),
)
events = Table(
    "events",
    METADATA,
    Column("sequence", SEQUENCE, primary_key=True),
    Column("key", KEY, nullable=False, unique=True),
    Column("subject", KEY, nullable=False),
    Column("effect", WORD, nullable=False),
    Column("body", Text, nullable=False),
    Index("events_subject", "subject", "sequence"),
    Index("events_effect", "effect", "sequence"),
    sqlite_autoincrement=True,  # a pruned number never returns
)
incidents = Table(
    "incidents",
    METADATA,
    Column("sequence", SEQUENCE, primary_key=True),
    Column("key", KEY, nullable=False, unique=True),
    Column("state", WORD, nullable=False),
    Column("subject", KEY, nullable=False),
    Column("detection", KEY, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("body", Text, nullable=False),
    Index("incidents_opened", "opened_at"),
    Index("incidents_subject", "subject", "detection"),
    sqlite_autoincrement=True,
)
incident_entries = Table(
    "incident_entries",
    METADATA,
    Column("sequence", SEQUENCE, primary_key=True),
    Column("incident", KEY, ForeignKey("incidents.key"), nullable=False),
    Column("body", Text, nullable=False),
    Index("incident_entries_incident", "incident", "sequence"),
)
incident_events = Table(
    "incident_events",
    METADATA,
    Column("sequence", SEQUENCE, primary_key=True),
    Column("incident", KEY, ForeignKey("incidents.key"), nullable=False),
    Column("event", KEY, nullable=False),
    Column("body", Text, nullable=False),
    Index("incident_events_once", "incident", "event", unique=True),
)
documents = Table(
    "documents",
    METADATA,
    Column("bucket", SORTED, primary_key=True),
    Column("key", KEY, primary_key=True),
    Column("name", SORTED, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
document_history = Table(
    "document_history",
    METADATA,
    Column("bucket", SORTED, primary_key=True),
    Column("key", KEY, primary_key=True),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment),  # unknown for what was stored before there was a history
    Column("body", LargeBinary, nullable=False),
)
settings = Table(
    "settings",
    METADATA,
    Column("name", SORTED, primary_key=True),
    Column("body", Text, nullable=False),
)
