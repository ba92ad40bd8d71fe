"""The history of documents: what a rollback brings back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0002"
down_revision = "0001"

_KEY = sa.String(32)
_SORTED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade(op: Operations) -> None:
    """Create the table, and begin each history with the generation that is stored now."""
    op.create_table(
        "document_history",
        sa.Column("bucket", _SORTED, primary_key=True),
        sa.Column("key", _KEY, primary_key=True),
        sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True)),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.execute(
        "INSERT INTO document_history (bucket, key, generation, body) "
        "SELECT bucket, key, generation, body FROM documents"
    )
