"""Model versions: what was trained, from what, and on what evidence it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, func, select

from owcl.types import ModelVersion
from storage.columns import now
from storage.rows import insert_one
from storage.schema import ModelVersionRow

Task = Literal["attribution", "ranking"]
"""Who made a face; or whether, where and in which order it was edited."""


def add(
    transaction: Connection,
    weights: str,
    configuration: Mapping[str, Any],
    class_ids: tuple[int, ...],
    gate: Mapping[str, Any],
    parent: int | None = None,
    task: Task = "attribution",
) -> int:
    """Let a trained model answer from now on, and return its id.

    Args:
        transaction: where to write.
        weights: path of the weights, relative to the workspace.
        configuration: what builds the model that the weights fit.
        class_ids: registry ids of the head's outputs, in order.
        gate: the evidence on which it was let through; what is refused is not stored.
        parent: the version that it was trained from.
        task: what it is for.
    """
    row = {
        "task": task,
        "parent": parent,
        "weights": weights,
        "configuration": dict(configuration),
        "class_ids": list(class_ids),
        "state": "accepted",
        "gate": dict(gate),
        "created": now(),
    }
    return insert_one(transaction, ModelVersionRow, row)


def next_id(transaction: Connection) -> int:
    """Return the id that the next model version will have."""
    newest = transaction.execute(select(func.max(ModelVersionRow.id))).scalar()
    return (newest or 0) + 1


def answering(transaction: Connection, task: Task = "attribution") -> ModelVersion | None:
    """Return a task's newest model version, which answers now; none before the first training."""
    row = transaction.execute(_of(task).order_by(ModelVersionRow.id.desc()).limit(1)).one_or_none()
    return None if row is None else _version(row)


def everything(transaction: Connection) -> list[ModelVersion]:
    """Return all model versions that attribute faces, oldest first."""
    return [_version(row) for row in transaction.execute(_of("attribution").order_by(ModelVersionRow.id))]


def _version(row: Row[*tuple[Any, ...]]) -> ModelVersion:
    return ModelVersion(row.id, row.parent, row.weights, row.configuration, tuple(row.class_ids))


def _of(task: Task) -> Select[*tuple[Any, ...]]:
    return select(ModelVersionRow.__table__).where(ModelVersionRow.task == task)
