"""Models of several tasks live side by side: who made a face, and where it was edited."""

from __future__ import annotations

import sqlalchemy
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say of each model version what it is for."""
    task = sqlalchemy.Column("task", sqlalchemy.String(), server_default="attribution", nullable=False)
    op.add_column("model_versions", task)
