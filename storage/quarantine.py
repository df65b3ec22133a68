"""Quarantine: sources that could not be made into faces, and why."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select

from owcl.types import Quarantined
from storage.columns import now
from storage.schema import QuarantineRow

_SOURCE_BATCH = 10_000


def add_many(transaction: Connection, rows: Sequence[Quarantined], experience: int | None = None) -> int:
    """Keep sources that are not there yet, with this content, and return how many they were."""
    present = _present(transaction, [row.source for row in rows])
    fresh = {(row.source, row.sha256): row for row in rows if (row.source, row.sha256) not in present}
    moment = now()
    added = [
        {
            "source": row.source,
            "sha256": row.sha256,
            "reason": row.reason,
            "experience": experience,
            "created": moment,
        }
        for row in fresh.values()
    ]
    if added:
        transaction.execute(insert(QuarantineRow), added)
    return len(added)


def read(transaction: Connection, experience: int | None = None) -> list[Quarantined]:
    """Return what is in quarantine, oldest first, of one experience or of all."""
    columns = (QuarantineRow.source, QuarantineRow.sha256, QuarantineRow.reason)
    query = select(*columns).order_by(QuarantineRow.id)
    if experience is not None:
        query = query.where(QuarantineRow.experience == experience)
    return [Quarantined(*row) for row in transaction.execute(query)]


def count(transaction: Connection) -> int:
    """Return how many sources are in quarantine."""
    return transaction.execute(select(func.count()).select_from(QuarantineRow)).scalar_one()


def _present(transaction: Connection, sources: list[str]) -> set[tuple[str, str | None]]:
    found: set[tuple[str, str | None]] = set()
    for start in range(0, len(sources), _SOURCE_BATCH):
        here = QuarantineRow.source.in_(sources[start : start + _SOURCE_BATCH])
        rows = transaction.execute(select(QuarantineRow.source, QuarantineRow.sha256).where(here))
        found.update((source, sha256) for source, sha256 in rows)
    return found
