"""The tables. Ids are permanent; rows are superseded, not overwritten; the log of decisions only grows.

A change here needs a new file in `migrations/versions` and a new `VERSION`; a test compares the two.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, CheckConstraint, Double, ForeignKey, Index, LargeBinary, MetaData, false, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from storage.columns import FilePath, Moment

VERSION = "0006"
"""The newest file in `migrations/versions`; a database of this version is opened without Alembic."""

_LIVE = text("status IN ('known', 'provisional', 'named')")
_ACTIVE = text("ended IS NULL")
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
# Without it SQLite gives the id of a deleted last row to the next one.
_NEVER_REUSED = {"sqlite_autoincrement": True}


def _one_of(column: str, *words: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(map(repr, words))})", name=f"{column}_is_known")


class Table(DeclarativeBase):
    """What all tables share: names for constraints, and how Python's types are kept."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: ClassVar = {
        datetime: Moment,
        float: Double,
        bytes: LargeBinary,
        dict[str, Any]: JSON,
        list[int]: JSON,
    }


class ExperienceRow(Table):
    """What arrived together, and how far it has been worked on."""

    __tablename__ = "experiences"
    __table_args__ = (_one_of("state", "open", "ingested", "discovered", "updated"),)

    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    labelled: Mapped[bool]
    state: Mapped[str]
    created: Mapped[datetime]


class FaceRow(Table):
    """One face image; the same content is one face, wherever it was found."""

    __tablename__ = "faces"
    __table_args__ = (
        CheckConstraint("length(sha256) = 64", name="sha256_is_hexadecimal"),
        CheckConstraint("width > 0 AND height > 0", name="size_is_positive"),
        _NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    source: Mapped[str] = mapped_column(FilePath)
    width: Mapped[int]
    height: Mapped[int]
    experience: Mapped[int] = mapped_column(ForeignKey("experiences.index"), index=True)
    face_found: Mapped[bool | None]
    held_out: Mapped[bool] = mapped_column(server_default=false())
    """Whether it is for calibration and never trained on, as was drawn when it came in."""
    created: Mapped[datetime]


class QuarantineRow(Table):
    """A source that could not be made into a face, and why."""

    __tablename__ = "quarantine"
    __table_args__ = (
        # NULLs differ from one another in a unique index, hence a second one for sources without content.
        Index("uq_quarantine_source_sha256", "source", "sha256", unique=True),
        Index(
            "uq_quarantine_source_unread",
            "source",
            unique=True,
            sqlite_where=text("sha256 IS NULL"),
            postgresql_where=text("sha256 IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(FilePath)
    sha256: Mapped[str | None]
    reason: Mapped[str]
    experience: Mapped[int | None] = mapped_column(ForeignKey("experiences.index"), index=True)
    created: Mapped[datetime]


class ModelVersionRow(Table):
    """A trained model: where its weights are, and on what evidence the gate let it through."""

    __tablename__ = "model_versions"
    __table_args__ = (_one_of("state", "candidate", "accepted", "refused"), _NEVER_REUSED)

    id: Mapped[int] = mapped_column(primary_key=True)
    task: Mapped[str] = mapped_column(server_default="attribution")
    parent: Mapped[int | None] = mapped_column(ForeignKey("model_versions.id"))
    weights: Mapped[str]
    configuration: Mapped[dict[str, Any]]
    class_ids: Mapped[list[int]]
    state: Mapped[str]
    """Always accepted: what the gate refuses is not stored."""
    gate: Mapped[dict[str, Any]]
    created: Mapped[datetime]


class EmbeddingRow(Table):
    """A face's vector under one model version: D little-endian float32."""

    __tablename__ = "embeddings"

    model_version: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), primary_key=True)
    face_id: Mapped[int] = mapped_column(ForeignKey("faces.id"), primary_key=True)
    vector: Mapped[bytes]


class DecisionRow(Table):
    """One line of the append-only log; triggers refuse to change or delete it."""

    __tablename__ = "decisions"
    __table_args__ = (_NEVER_REUSED,)

    id: Mapped[int] = mapped_column(primary_key=True)
    when: Mapped[datetime]
    who: Mapped[str]
    verb: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    undoes: Mapped[int | None] = mapped_column(ForeignKey("decisions.id"), unique=True)


class ClassRow(Table):
    """An entry of the registry; merged and rejected ones stay as tombstones."""

    __tablename__ = "classes"
    __table_args__ = (
        _one_of("status", "known", "provisional", "named", "merged", "rejected"),
        CheckConstraint("(status = 'merged') = (merged_into IS NOT NULL)", name="merged_has_a_target"),
        CheckConstraint("merged_into <> id", name="not_merged_into_itself"),
        CheckConstraint("length(name) <= 200", name="name_is_short"),
        Index("uq_classes_live_key", "key", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
        _NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    key: Mapped[str]
    """The name without regard to case, by which live classes differ."""
    family: Mapped[str | None]
    note: Mapped[str | None]
    status: Mapped[str]
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("classes.id"), index=True)
    born: Mapped[int | None] = mapped_column(ForeignKey("experiences.index"))
    evidence: Mapped[dict[str, Any]]
    version: Mapped[int]
    """Counts changes, so that nobody decides on what he has not seen."""
    decision: Mapped[int | None] = mapped_column(ForeignKey("decisions.id"))
    """The latest decision that changed the class."""
    created: Mapped[datetime]
    changed: Mapped[datetime]


class AttributionRow(Table):
    """What a model version said of a face; the newest counts, the first is its first sight."""

    __tablename__ = "attributions"
    __table_args__ = (
        CheckConstraint("probability BETWEEN 0 AND 1", name="probability_is_a_share"),
        CheckConstraint("p_value BETWEEN 0 AND 1", name="p_value_is_a_share"),
        _NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    face_id: Mapped[int] = mapped_column(ForeignKey("faces.id"), index=True)
    model_version: Mapped[int] = mapped_column(ForeignKey("model_versions.id"))
    class_id: Mapped[int | None] = mapped_column(ForeignKey("classes.id"), index=True)
    probability: Mapped[float]
    p_value: Mapped[float]
    made: Mapped[datetime]


class MembershipRow(Table):
    """That a face belongs to a class, on whose word, from when and until when."""

    __tablename__ = "memberships"
    __table_args__ = (
        _one_of("origin", "label", "promotion", "operator", "pseudo"),
        CheckConstraint("weight > 0", name="weight_is_positive"),
        CheckConstraint("ended_by IS NULL OR ended IS NOT NULL", name="ended_by_means_ended"),
        Index(
            "uq_memberships_active_face",
            "face_id",
            unique=True,
            sqlite_where=_ACTIVE,
            postgresql_where=_ACTIVE,
        ),
        _NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    face_id: Mapped[int] = mapped_column(ForeignKey("faces.id"), index=True)
    class_id: Mapped[int] = mapped_column(ForeignKey("classes.id"), index=True)
    origin: Mapped[str]
    weight: Mapped[float]
    decision: Mapped[int | None] = mapped_column(ForeignKey("decisions.id"), index=True)
    created: Mapped[datetime]
    ended: Mapped[datetime | None]
    ended_by: Mapped[int | None] = mapped_column(ForeignKey("decisions.id"), index=True)


class ClusterRow(Table):
    """A proposal of discovery, kept until it is a class or dissolved."""

    __tablename__ = "clusters"
    __table_args__ = (
        _one_of("state", "candidate", "promoted", "dissolved"),
        CheckConstraint("(state = 'promoted') = (class_id IS NOT NULL)", name="promoted_has_a_class"),
        CheckConstraint("stability BETWEEN 0 AND 1", name="stability_is_a_share"),
        CheckConstraint("times_seen > 0", name="times_seen_is_positive"),
        _NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    experience: Mapped[int] = mapped_column(ForeignKey("experiences.index"), index=True)
    model_version: Mapped[int] = mapped_column(ForeignKey("model_versions.id"))
    state: Mapped[str] = mapped_column(index=True)
    class_id: Mapped[int | None] = mapped_column(ForeignKey("classes.id"), index=True)
    size: Mapped[int]
    stability: Mapped[float]
    centre: Mapped[bytes]
    evidence: Mapped[dict[str, Any]]
    times_seen: Mapped[int]
    created: Mapped[datetime]


class ClusterMemberRow(Table):
    """That a face lies in a cluster."""

    __tablename__ = "cluster_members"

    cluster_id: Mapped[int] = mapped_column(ForeignKey("clusters.id"), primary_key=True)
    face_id: Mapped[int] = mapped_column(ForeignKey("faces.id"), primary_key=True, index=True)


class CountEstimateRow(Table):
    """How many new classes an experience was thought to hold."""

    __tablename__ = "count_estimates"
    __table_args__ = (CheckConstraint("low <= high", name="interval_is_ordered"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    experience: Mapped[int] = mapped_column(ForeignKey("experiences.index"), index=True)
    value: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]
    evidence: Mapped[dict[str, Any]]
    created: Mapped[datetime]


class RunRow(Table):
    """A step of work: what was asked and what came out."""

    __tablename__ = "runs"
    __table_args__ = (_one_of("state", "running", "done", "failed"), _NEVER_REUSED)

    id: Mapped[int] = mapped_column(primary_key=True)
    verb: Mapped[str]
    experience: Mapped[int | None] = mapped_column(ForeignKey("experiences.index"))
    configuration: Mapped[dict[str, Any]]
    seed: Mapped[int | None]
    state: Mapped[str] = mapped_column(index=True)
    result: Mapped[dict[str, Any]]
    started: Mapped[datetime]
    finished: Mapped[datetime | None]


class MetricRow(Table):
    """One figure of the evaluation; NULL where it is not defined."""

    __tablename__ = "metrics"
    __table_args__ = (
        _one_of("split", "test", "first_sight"),
        Index("ix_metrics_experience_name", "experience", "name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    experience: Mapped[int] = mapped_column(ForeignKey("experiences.index"))
    name: Mapped[str]
    value: Mapped[float | None]
    method: Mapped[str | None]
    split: Mapped[str]
    model_version: Mapped[int | None] = mapped_column(ForeignKey("model_versions.id"))
    created: Mapped[datetime]


class ExemplarRow(Table):
    """A face kept for replay, with its pixels."""

    __tablename__ = "exemplars"
    __table_args__ = (
        _one_of("origin", "label", "operator", "pseudo"),
        CheckConstraint("weight > 0", name="weight_is_positive"),
    )

    face_id: Mapped[int] = mapped_column(ForeignKey("faces.id"), primary_key=True)
    class_id: Mapped[int] = mapped_column(ForeignKey("classes.id"), index=True)
    weight: Mapped[float]
    origin: Mapped[str]
    png: Mapped[bytes]
    created: Mapped[datetime]
