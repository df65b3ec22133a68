"""Model versions: what was trained, from what, and whether the gate let it through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, func, select, update

from owcl.errors import Conflict, NotFound
from owcl.types import ModelVersion
from storage.columns import now
from storage.rows import insert_one
from storage.schema import ModelVersionRow

State = Literal["candidate", "accepted", "refused"]
Task = Literal["attribution", "ranking"]
"""Who made a face; or whether, where and in which order it was edited."""


def add(
    transaction: Connection,
    weights: str,
    configuration: Mapping[str, Any],
    class_ids: tuple[int, ...],
    parent: int | None = None,
    task: Task = "attribution",
) -> int:
    """Keep a trained candidate and return its id.

    Args:
        transaction: where to write.
        weights: path of the weights, relative to the workspace.
        configuration: what builds the model that the weights fit.
        class_ids: registry ids of the head's outputs, in order.
        parent: the version that it was trained from.
        task: what it is for.
    """
    row = {
        "task": task,
        "parent": parent,
        "weights": weights,
        "configuration": dict(configuration),
        "class_ids": list(class_ids),
        "state": "candidate",
        "gate": {},
        "created": now(),
    }
    return insert_one(transaction, ModelVersionRow, row)


def next_id(transaction: Connection) -> int:
    """Return the id that the next model version will have."""
    newest = transaction.execute(select(func.max(ModelVersionRow.id))).scalar()
    return (newest or 0) + 1


def accept(transaction: Connection, model_version: int, gate: Mapping[str, Any]) -> None:
    """Let a candidate answer from now on, on the evidence of the gate.

    Raises:
        NotFound: if there is no such model version.
        Conflict: if it has been judged already.
    """
    _judge(transaction, model_version, "accepted", gate)


def refuse(transaction: Connection, model_version: int, gate: Mapping[str, Any]) -> None:
    """Keep a candidate from answering, on the evidence of the gate.

    Raises:
        NotFound: if there is no such model version.
        Conflict: if it has been judged already.
    """
    _judge(transaction, model_version, "refused", gate)


def get(transaction: Connection, model_version: int) -> ModelVersion:
    """Return a model version.

    Raises:
        NotFound: if there is none of this id.
    """
    return _version(_row(transaction, model_version))


def state(transaction: Connection, model_version: int) -> tuple[State, dict[str, Any]]:
    """Return whether a model version was let through, and the evidence of the gate.

    Raises:
        NotFound: if there is none of this id.
    """
    row = _row(transaction, model_version)
    return row.state, row.gate


def answering(transaction: Connection, task: Task = "attribution") -> ModelVersion | None:
    """Return a task's newest accepted model version, which answers now; none before the first training."""
    accepted = _of(task).where(ModelVersionRow.state == "accepted")
    row = transaction.execute(accepted.order_by(ModelVersionRow.id.desc()).limit(1)).one_or_none()
    return None if row is None else _version(row)


def everything(transaction: Connection) -> list[ModelVersion]:
    """Return all model versions that attribute faces, oldest first."""
    return [_version(row) for row in transaction.execute(_of("attribution").order_by(ModelVersionRow.id))]


def _judge(transaction: Connection, model_version: int, verdict: State, gate: Mapping[str, Any]) -> None:
    present, _ = state(transaction, model_version)
    if present != "candidate":
        raise Conflict(
            f"model version {model_version}: it is {present} already. A verdict is final. "
            "Train another candidate."
        )
    judged = {"state": verdict, "gate": dict(gate)}
    transaction.execute(update(ModelVersionRow).where(ModelVersionRow.id == model_version).values(judged))


def _row(transaction: Connection, model_version: int) -> Row[*tuple[Any, ...]]:
    row = transaction.execute(_query().where(ModelVersionRow.id == model_version)).one_or_none()
    if row is None:
        raise NotFound(
            f"model versions: there is no version {model_version}. `owcl doctor` shows those there are."
        )
    return row


def _version(row: Row[*tuple[Any, ...]]) -> ModelVersion:
    return ModelVersion(row.id, row.parent, row.weights, row.configuration, tuple(row.class_ids))


def _query() -> Select[*tuple[Any, ...]]:
    return select(ModelVersionRow.__table__)


def _of(task: Task) -> Select[*tuple[Any, ...]]:
    return _query().where(ModelVersionRow.task == task)
