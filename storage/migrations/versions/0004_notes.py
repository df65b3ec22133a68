"""What operators want to remember of a class, beside its name."""

from __future__ import annotations

import sqlalchemy
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give every class room for a note."""
    op.add_column("classes", sqlalchemy.Column("note", sqlalchemy.String(), nullable=True))
