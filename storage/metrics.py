"""Metrics: the figures of the evaluation, one row each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, delete, insert, select

from storage.columns import now
from storage.schema import MetricRow

Split = Literal["test", "first_sight"]


@dataclass(frozen=True)
class Measured:
    """Where figures were taken: after which experience, on which split, of which model.

    `method` is the forgery method or cohort that they are about; none where they are about all.
    """

    experience: int
    split: Split = "test"
    method: str | None = None
    model_version: int | None = None


@dataclass(frozen=True)
class Metric:
    """One figure; its value is none where it is not defined."""

    name: str
    value: float | None
    measured: Measured


def write(transaction: Connection, measured: Measured, values: Mapping[str, float | None]) -> None:
    """Keep figures by name; measured in the same place again, they replace the earlier ones.

    NaN is kept as none, since it means that a figure is not defined.
    """
    place = {
        "experience": measured.experience,
        "split": measured.split,
        "method": measured.method,
        "model_version": measured.model_version,
    }
    # `is_not_distinct_from` takes two NULLs for the same.
    same = [getattr(MetricRow, column).is_not_distinct_from(value) for column, value in place.items()]
    transaction.execute(delete(MetricRow).where(*same, MetricRow.name.in_(values)))
    moment = now()
    rows = [
        {**place, "name": name, "value": _defined(value), "created": moment} for name, value in values.items()
    ]
    if rows:
        transaction.execute(insert(MetricRow), rows)


def read(transaction: Connection, experience: int | None = None) -> list[Metric]:
    """Return figures in the order in which they were written, of one experience or of all."""
    query = select(MetricRow.__table__).order_by(MetricRow.id)
    if experience is not None:
        query = query.where(MetricRow.experience == experience)
    return [
        Metric(row.name, row.value, Measured(row.experience, row.split, row.method, row.model_version))
        for row in transaction.execute(query)
    ]


def _defined(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
