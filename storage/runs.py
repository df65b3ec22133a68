"""Runs: steps of work, journalled so that what was killed can be taken up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, select, update

from owcl.errors import NotFound
from storage.columns import now
from storage.rows import insert_one
from storage.schema import RunRow

State = Literal["running", "done", "failed"]


@dataclass(frozen=True)
class Task:
    """What a run is asked to do."""

    verb: str
    configuration: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None


@dataclass(frozen=True)
class Run:
    """A step of work: what was asked and what came out."""

    id: int
    task: Task
    state: State
    experience: int | None
    result: Mapping[str, Any]
    started: datetime
    finished: datetime | None


def start(transaction: Connection, task: Task) -> int:
    """Note that a step of work begins and return its id."""
    row = {
        "verb": task.verb,
        "configuration": dict(task.configuration),
        "seed": task.seed,
        "state": "running",
        "result": {},
        "started": now(),
    }
    return insert_one(transaction, RunRow, row)


def unfinished(transaction: Connection, verb: str) -> Run | None:
    """Return the newest run of a verb that began and did not end."""
    query = select(RunRow.__table__).where(RunRow.verb == verb, RunRow.state == "running")
    row = transaction.execute(query.order_by(RunRow.id.desc()).limit(1)).one_or_none()
    return None if row is None else _run(row)


def finish(
    transaction: Connection, run_id: int, result: Mapping[str, Any], experience: int | None = None
) -> None:
    """Note that a run is done, what came out, and in which experience.

    Raises:
        NotFound: if there is no such run.
    """
    values = {"state": "done", "result": dict(result), "experience": experience, "finished": now()}
    _set(transaction, run_id, values)


def fail(transaction: Connection, run_id: int, reason: str) -> None:
    """Note that a run ended with an error.

    Raises:
        NotFound: if there is no such run.
    """
    _set(transaction, run_id, {"state": "failed", "result": {"error": reason}, "finished": now()})


def get(transaction: Connection, run_id: int) -> Run:
    """Return a run.

    Raises:
        NotFound: if there is none of this id.
    """
    row = transaction.execute(select(RunRow.__table__).where(RunRow.id == run_id)).one_or_none()
    if row is None:
        raise NotFound(f"runs: there is no run {run_id}. Runs are numbered from 1 on.")
    return _run(row)


def _set(transaction: Connection, run_id: int, values: Mapping[str, Any]) -> None:
    get(transaction, run_id)
    transaction.execute(update(RunRow).where(RunRow.id == run_id).values(dict(values)))


def _run(row: Row[*tuple[Any, ...]]) -> Run:
    task = Task(row.verb, row.configuration, row.seed)
    return Run(row.id, task, row.state, row.experience, row.result, row.started, row.finished)
