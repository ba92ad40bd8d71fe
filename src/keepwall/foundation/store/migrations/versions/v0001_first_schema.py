"""The first schema: scans, assets, findings, events, incidents, documents, settings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0001"
down_revision = None

_KEY = sa.String(32)
_WORD = sa.String(32)
_MOMENT = sa.DateTime(timezone=True)
_SORTED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade(op: Operations) -> None:
    """Create every table; `op` is given by `store.migrate`, not by Alembic's global proxy."""
    _scans_and_assets(op)
    _findings(op)
    _events_and_incidents(op)
    _documents_and_settings(op)


def _scans_and_assets(op: Operations) -> None:
    op.create_table(
        "scans",
        sa.Column("sequence", _SEQUENCE, primary_key=True),
        sa.Column("key", _KEY, nullable=False, unique=True),
        sa.Column("origin", _KEY, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("unread", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("scans_origin", "scans", ["origin", "sequence"])
    op.create_table(
        "assets",
        sa.Column("key", _KEY, primary_key=True),
        sa.Column("kind", _WORD, nullable=False),
        sa.Column("surface", _WORD, nullable=False),
        sa.Column("name", _SORTED, nullable=False),
        sa.Column("haystack", sa.Text, nullable=False),
        sa.Column("first_seen", _MOMENT, nullable=False),
        sa.Column("last_seen", _MOMENT, nullable=False),
        sa.Column("gone_at", _MOMENT),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "sightings",
        sa.Column("origin", _KEY, primary_key=True),
        sa.Column("asset", _KEY, _deferred("assets.key"), primary_key=True),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("sightings_asset", "sightings", ["asset"])
    op.create_table(
        "relations",
        sa.Column("origin", _KEY, primary_key=True),
        sa.Column("key", _KEY, primary_key=True),
        sa.Column("source", _KEY, nullable=False),
        sa.Column("target", _KEY, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    for column in ("key", "source", "target"):
        op.create_index(f"relations_{column}", "relations", [column])


def _findings(op: Operations) -> None:
    op.create_table(
        "findings",
        sa.Column("key", _KEY, primary_key=True),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("surface", _WORD, nullable=False),
        sa.Column("rule", _SORTED, nullable=False),
        sa.Column("asset", _KEY, nullable=False),
        sa.Column("haystack", sa.Text, nullable=False),
        sa.Column("first_seen", _MOMENT, nullable=False),
        sa.Column("last_seen", _MOMENT, nullable=False),
        sa.Column("resolved_at", _MOMENT),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("findings_asset", "findings", ["asset"])
    op.create_table(
        "finding_sightings",
        sa.Column("origin", _KEY, primary_key=True),
        sa.Column("finding", _KEY, _deferred("findings.key"), primary_key=True),
    )
    op.create_index("finding_sightings_finding", "finding_sightings", ["finding"])


def _events_and_incidents(op: Operations) -> None:
    op.create_table(
        "events",
        sa.Column("sequence", _SEQUENCE, primary_key=True),
        sa.Column("key", _KEY, nullable=False, unique=True),
        sa.Column("subject", _KEY, nullable=False),
        sa.Column("effect", _WORD, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("events_subject", "events", ["subject", "sequence"])
    op.create_index("events_effect", "events", ["effect", "sequence"])
    op.create_table(
        "incidents",
        sa.Column("sequence", _SEQUENCE, primary_key=True),
        sa.Column("key", _KEY, nullable=False, unique=True),
        sa.Column("state", _WORD, nullable=False),
        sa.Column("subject", _KEY, nullable=False),
        sa.Column("detection", _KEY, nullable=False),
        sa.Column("opened_at", _MOMENT, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("incidents_opened", "incidents", ["opened_at"])
    op.create_index("incidents_subject", "incidents", ["subject", "detection"])
    op.create_table(
        "incident_entries",
        sa.Column("sequence", _SEQUENCE, primary_key=True),
        sa.Column("incident", _KEY, sa.ForeignKey("incidents.key"), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("incident_entries_incident", "incident_entries", ["incident", "sequence"])
    op.create_table(
        "incident_events",
        sa.Column("sequence", _SEQUENCE, primary_key=True),
        sa.Column("incident", _KEY, sa.ForeignKey("incidents.key"), nullable=False),
        sa.Column("event", _KEY, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("incident_events_once", "incident_events", ["incident", "event"], unique=True)


def _documents_and_settings(op: Operations) -> None:
    op.create_table(
        "documents",
        sa.Column("bucket", _SORTED, primary_key=True),
        sa.Column("key", _KEY, primary_key=True),
        sa.Column("name", _SORTED, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "settings",
        sa.Column("name", _SORTED, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )


def _deferred(column: str) -> sa.ForeignKey:
    return sa.ForeignKey(column, deferrable=True, initially="DEFERRED")
