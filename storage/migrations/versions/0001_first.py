"""The first version: faces, embeddings, attributions, classes, decisions and what else a workspace keeps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

LIVE = sa.text("status IN ('known', 'provisional', 'named')")
UNREAD = sa.text("sha256 IS NULL")
ACTIVE = sa.text("ended IS NULL")


def upgrade() -> None:
    """Make the tables of an empty database."""
    _make_registry()
    _make_arrivals()
    _make_discoveries()
    _make_work()
    _refuse_changes("decisions")


def _make_registry() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("when", sa.DateTime(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("verb", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("undoes", sa.Integer()),
        sa.ForeignKeyConstraint(["undoes"], ["decisions.id"], name="fk_decisions_undoes"),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sa.UniqueConstraint("undoes", name="uq_decisions_undoes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_decisions_subject", "decisions", ["subject"])
    op.create_table(
        "experiences",
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("labelled", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'ingested', 'discovered', 'updated')", name="ck_experiences_state_is_known"
        ),
        sa.PrimaryKeyConstraint("index", name="pk_experiences"),
    )
    op.create_table(
        "model_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Integer()),
        sa.Column("weights", sa.String(), nullable=False),
        sa.Column("configuration", sa.JSON(), nullable=False),
        sa.Column("class_ids", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("gate", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('candidate', 'accepted', 'refused')", name="ck_model_versions_state_is_known"
        ),
        sa.ForeignKeyConstraint(["parent"], ["model_versions.id"], name="fk_model_versions_parent"),
        sa.PrimaryKeyConstraint("id", name="pk_model_versions"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "classes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("family", sa.String()),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("merged_into", sa.Integer()),
        sa.Column("born", sa.Integer()),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("decision", sa.Integer()),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("changed", sa.DateTime(), nullable=False),
        sa.CheckConstraint(
            "(status = 'merged') = (merged_into IS NOT NULL)", name="ck_classes_merged_has_a_target"
        ),
        sa.CheckConstraint(
            "status IN ('known', 'provisional', 'named', 'merged', 'rejected')",
            name="ck_classes_status_is_known",
        ),
        sa.CheckConstraint("length(name) <= 200", name="ck_classes_name_is_short"),
        sa.CheckConstraint("merged_into <> id", name="ck_classes_not_merged_into_itself"),
        sa.ForeignKeyConstraint(["born"], ["experiences.index"], name="fk_classes_born"),
        sa.ForeignKeyConstraint(["decision"], ["decisions.id"], name="fk_classes_decision"),
        sa.ForeignKeyConstraint(["merged_into"], ["classes.id"], name="fk_classes_merged_into"),
        sa.PrimaryKeyConstraint("id", name="pk_classes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_classes_merged_into", "classes", ["merged_into"])
    op.create_index(
        "uq_classes_live_key", "classes", ["key"], unique=True, sqlite_where=LIVE, postgresql_where=LIVE
    )


def _make_arrivals() -> None:
    op.create_table(
        "faces",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("experience", sa.Integer(), nullable=False),
        sa.Column("face_found", sa.Boolean()),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.CheckConstraint("length(sha256) = 64", name="ck_faces_sha256_is_hexadecimal"),
        sa.CheckConstraint("width > 0 AND height > 0", name="ck_faces_size_is_positive"),
        sa.ForeignKeyConstraint(["experience"], ["experiences.index"], name="fk_faces_experience"),
        sa.PrimaryKeyConstraint("id", name="pk_faces"),
        sa.UniqueConstraint("sha256", name="uq_faces_sha256"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_faces_experience", "faces", ["experience"])
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String()),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("experience", sa.Integer()),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["experience"], ["experiences.index"], name="fk_quarantine_experience"),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
    )
    op.create_index("ix_quarantine_experience", "quarantine", ["experience"])
    op.create_index("uq_quarantine_source_sha256", "quarantine", ["source", "sha256"], unique=True)
    op.create_index(
        "uq_quarantine_source_unread",
        "quarantine",
        ["source"],
        unique=True,
        sqlite_where=UNREAD,
        postgresql_where=UNREAD,
    )
    op.create_table(
        "embeddings",
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column("face_id", sa.Integer(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["face_id"], ["faces.id"], name="fk_embeddings_face_id"),
        sa.ForeignKeyConstraint(["model_version"], ["model_versions.id"], name="fk_embeddings_model_version"),
        sa.PrimaryKeyConstraint("model_version", "face_id", name="pk_embeddings"),
    )
    op.create_table(
        "attributions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("face_id", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column("class_id", sa.Integer()),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("p_value", sa.Double(), nullable=False),
        sa.Column("made", sa.DateTime(), nullable=False),
        sa.CheckConstraint("p_value BETWEEN 0 AND 1", name="ck_attributions_p_value_is_a_share"),
        sa.CheckConstraint("probability BETWEEN 0 AND 1", name="ck_attributions_probability_is_a_share"),
        sa.ForeignKeyConstraint(["class_id"], ["classes.id"], name="fk_attributions_class_id"),
        sa.ForeignKeyConstraint(["face_id"], ["faces.id"], name="fk_attributions_face_id"),
        sa.ForeignKeyConstraint(
            ["model_version"], ["model_versions.id"], name="fk_attributions_model_version"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_attributions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_attributions_class_id", "attributions", ["class_id"])
    op.create_index("ix_attributions_face_id", "attributions", ["face_id"])


def _make_discoveries() -> None:
    op.create_table(
        "count_estimates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("experience", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.CheckConstraint("low <= high", name="ck_count_estimates_interval_is_ordered"),
        sa.ForeignKeyConstraint(["experience"], ["experiences.index"], name="fk_count_estimates_experience"),
        sa.PrimaryKeyConstraint("id", name="pk_count_estimates"),
    )
    op.create_index("ix_count_estimates_experience", "count_estimates", ["experience"])
    op.create_table(
        "clusters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("experience", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("class_id", sa.Integer()),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("stability", sa.Double(), nullable=False),
        sa.Column("centre", sa.LargeBinary(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("times_seen", sa.Integer(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.CheckConstraint(
            "(state = 'promoted') = (class_id IS NOT NULL)", name="ck_clusters_promoted_has_a_class"
        ),
        sa.CheckConstraint(
            "state IN ('candidate', 'promoted', 'dissolved')", name="ck_clusters_state_is_known"
        ),
        sa.CheckConstraint("stability BETWEEN 0 AND 1", name="ck_clusters_stability_is_a_share"),
        sa.CheckConstraint("times_seen > 0", name="ck_clusters_times_seen_is_positive"),
        sa.ForeignKeyConstraint(["class_id"], ["classes.id"], name="fk_clusters_class_id"),
        sa.ForeignKeyConstraint(["experience"], ["experiences.index"], name="fk_clusters_experience"),
        sa.ForeignKeyConstraint(["model_version"], ["model_versions.id"], name="fk_clusters_model_version"),
        sa.PrimaryKeyConstraint("id", name="pk_clusters"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_clusters_class_id", "clusters", ["class_id"])
    op.create_index("ix_clusters_experience", "clusters", ["experience"])
    op.create_index("ix_clusters_state", "clusters", ["state"])
    op.create_table(
        "cluster_members",
        sa.Column("cluster_id", sa.Integer(), nullable=False),
        sa.Column("face_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"], name="fk_cluster_members_cluster_id"),
        sa.ForeignKeyConstraint(["face_id"], ["faces.id"], name="fk_cluster_members_face_id"),
        sa.PrimaryKeyConstraint("cluster_id", "face_id", name="pk_cluster_members"),
    )
    op.create_index("ix_cluster_members_face_id", "cluster_members", ["face_id"])
    op.create_table(
        "memberships",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("face_id", sa.Integer(), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("decision", sa.Integer()),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("ended", sa.DateTime()),
        sa.Column("ended_by", sa.Integer()),
        sa.CheckConstraint(
            "origin IN ('label', 'promotion', 'operator', 'pseudo')", name="ck_memberships_origin_is_known"
        ),
        sa.CheckConstraint(
            "ended_by IS NULL OR ended IS NOT NULL", name="ck_memberships_ended_by_means_ended"
        ),
        sa.CheckConstraint("weight > 0", name="ck_memberships_weight_is_positive"),
        sa.ForeignKeyConstraint(["class_id"], ["classes.id"], name="fk_memberships_class_id"),
        sa.ForeignKeyConstraint(["decision"], ["decisions.id"], name="fk_memberships_decision"),
        sa.ForeignKeyConstraint(["ended_by"], ["decisions.id"], name="fk_memberships_ended_by"),
        sa.ForeignKeyConstraint(["face_id"], ["faces.id"], name="fk_memberships_face_id"),
        sa.PrimaryKeyConstraint("id", name="pk_memberships"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_memberships_class_id", "memberships", ["class_id"])
    op.create_index("ix_memberships_decision", "memberships", ["decision"])
    op.create_index("ix_memberships_ended_by", "memberships", ["ended_by"])
    op.create_index("ix_memberships_face_id", "memberships", ["face_id"])
    op.create_index(
        "uq_memberships_active_face",
        "memberships",
        ["face_id"],
        unique=True,
        sqlite_where=ACTIVE,
        postgresql_where=ACTIVE,
    )


def _make_work() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("verb", sa.String(), nullable=False),
        sa.Column("experience", sa.Integer()),
        sa.Column("configuration", sa.JSON(), nullable=False),
        sa.Column("seed", sa.Integer()),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("started", sa.DateTime(), nullable=False),
        sa.Column("finished", sa.DateTime()),
        sa.CheckConstraint("state IN ('running', 'done', 'failed')", name="ck_runs_state_is_known"),
        sa.ForeignKeyConstraint(["experience"], ["experiences.index"], name="fk_runs_experience"),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_runs_state", "runs", ["state"])
    op.create_table(
        "metrics",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("experience", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Double()),
        sa.Column("method", sa.String()),
        sa.Column("split", sa.String(), nullable=False),
        sa.Column("model_version", sa.Integer()),
        sa.Column("run_id", sa.Integer()),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.CheckConstraint("split IN ('test', 'first_sight')", name="ck_metrics_split_is_known"),
        sa.ForeignKeyConstraint(["experience"], ["experiences.index"], name="fk_metrics_experience"),
        sa.ForeignKeyConstraint(["model_version"], ["model_versions.id"], name="fk_metrics_model_version"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_metrics_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_metrics"),
    )
    op.create_index("ix_metrics_experience_name", "metrics", ["experience", "name"])
    op.create_table(
        "exemplars",
        sa.Column("face_id", sa.Integer(), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("png", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.CheckConstraint("origin IN ('label', 'operator', 'pseudo')", name="ck_exemplars_origin_is_known"),
        sa.CheckConstraint("weight > 0", name="ck_exemplars_weight_is_positive"),
        sa.ForeignKeyConstraint(["class_id"], ["classes.id"], name="fk_exemplars_class_id"),
        sa.ForeignKeyConstraint(["face_id"], ["faces.id"], name="fk_exemplars_face_id"),
        sa.PrimaryKeyConstraint("face_id", name="pk_exemplars"),
    )
    op.create_index("ix_exemplars_class_id", "exemplars", ["class_id"])


def _refuse_changes(table: str) -> None:
    # Triggers are written for each kind of database; others than SQLite keep the log by custom alone.
    if op.get_bind().dialect.name != "sqlite":
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_refuse_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table}: the log only grows; undo is a new decision'); END"
        )


def downgrade() -> None:
    """Refuse: there is no version before the first."""
    raise NotImplementedError("0001 is the first version of the database; restore a copy instead")
