"""Counts: how many new classes each experience was thought to hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select

from storage.columns import now
from storage.schema import CountEstimateRow


@dataclass(frozen=True)
class Count:
    """An estimated number of new classes with its interval and what speaks for it."""

    value: float
    low: float
    high: float
    evidence: Mapping[str, Any] = field(default_factory=dict)


def record(transaction: Connection, experience: int, count: Count) -> None:
    """Keep an estimate; the newest of an experience counts."""
    row = {
        "experience": experience,
        "value": float(count.value),
        "low": float(count.low),
        "high": float(count.high),
        "evidence": dict(count.evidence),
        "created": now(),
    }
    transaction.execute(insert(CountEstimateRow).values(row))


def by_experience(transaction: Connection) -> dict[int, Count]:
    """Return the newest estimate of each experience that has one."""
    columns = (CountEstimateRow.value, CountEstimateRow.low, CountEstimateRow.high, CountEstimateRow.evidence)
    query = select(CountEstimateRow.experience, *columns).order_by(CountEstimateRow.id)
    return {row[0]: Count(*row[1:]) for row in transaction.execute(query)}
