"""A figure says of which experience, split and model it is; of which run, nothing wrote."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the run of a figure, and with it the constraint, for which SQLite makes the table anew."""
    with op.batch_alter_table("metrics", naming_convention={"ck": "%(constraint_name)s"}) as table:
        table.drop_constraint("fk_metrics_run_id", type_="foreignkey")
        table.drop_column("run_id")
