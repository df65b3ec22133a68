"""A run says what it is and what came of it; how far it came is what its transactions have stored."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the progress of runs, which nothing wrote."""
    op.drop_column("runs", "progress")
