"""Which faces are held out is drawn once, when they come in, and no longer worked out from their content."""

from __future__ import annotations

import json
import math

import sqlalchemy
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

USUAL_SHARE = 0.2


def upgrade() -> None:
    """Mark the faces whose content had them held out, with the share that the newest model was made with."""
    op.add_column(
        "faces", sqlalchemy.Column("held_out", sqlalchemy.Boolean(), server_default="0", nullable=False)
    )
    connection = op.get_bind()
    newest = connection.execute(
        sqlalchemy.text("SELECT configuration FROM model_versions ORDER BY id DESC LIMIT 1")
    ).scalar()
    configuration = json.loads(newest or "{}")
    share = configuration.get("memory", {}).get("calibration_share", USUAL_SHARE)
    connection.execute(
        sqlalchemy.text("UPDATE faces SET held_out = 1 WHERE substr(sha256, 1, 8) < :limit"),
        {"limit": f"{math.ceil(share * 16**8):08x}"},
    )
