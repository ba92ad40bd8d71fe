"""What people decided about findings, what changed between scans, saved views, and facets."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0003"
down_revision = "0002"

_KEY = sa.String(32)
_WORD = sa.String(32)
_MOMENT = sa.DateTime(timezone=True)
_SORTED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_FACETS = ("owner", "zone", "context")


def upgrade(op: Operations) -> None:
    """Create the tables and columns, and fill the columns from the assets that are stored."""
    for name in _FACETS:
        op.add_column("assets", sa.Column(name, _SORTED, nullable=False, server_default=""))
    op.add_column("findings", sa.Column("exposure", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "triage",
        sa.Column("finding", _KEY, primary_key=True),
        sa.Column("state", _WORD, nullable=False),
        sa.Column("until", _MOMENT),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "triage_steps",
        sa.Column("sequence", _SEQUENCE, primary_key=True),
        sa.Column("finding", _KEY, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("triage_steps_finding", "triage_steps", ["finding", "sequence"])
    op.create_table(
        "changes",
        sa.Column("sequence", _SEQUENCE, primary_key=True),
        sa.Column("origin", _KEY, nullable=False),
        sa.Column("scan", _KEY, nullable=False),
        sa.Column("about", _KEY, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("changes_scan", "changes", ["origin", "scan"])
    op.create_index("changes_about", "changes", ["about", "sequence"])
    op.create_table(
        "views",
        sa.Column("user", _KEY, primary_key=True),
        sa.Column("key", _KEY, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    _fill_facets(op.get_bind())


def _fill_facets(connection: sa.Connection) -> None:
    """Copy what is filtered by out of the stored assets."""
    names = ("key", "body", *_FACETS)
    assets = sa.table("assets", *(sa.column(name, sa.Text) for name in names))
    rows = connection.execute(sa.select(assets.c.key, assets.c.body)).all()
    for row in rows:
        body = json.loads(row.body)
        found = {
            "owner": body.get("owner", ""),
            "zone": body.get("zone", ""),
            "context": body.get("attributes", {}).get("context", ""),
        }
        plain = {name: _plain(value) for name, value in found.items() if value}
        if plain:
            connection.execute(sa.update(assets).where(assets.c.key == row.key).values(plain))


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
