"""Exemplars: the bounded memory of faces kept for replay, with their pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, insert, select

from storage.columns import now
from storage.rows import batches
from storage.schema import ExemplarRow

Origin = Literal["label", "operator", "pseudo"]


@dataclass(frozen=True)
class Exemplar:
    """A face kept for replay; `weight` is how much it counts in training, `png` holds its pixels."""

    face_id: int
    class_id: int
    weight: float
    origin: Origin
    png: bytes


def write(transaction: Connection, exemplars: Sequence[Exemplar]) -> None:
    """Keep exemplars; a face that is kept already gets the class, weight and pixels given now."""
    latest = {exemplar.face_id: exemplar for exemplar in exemplars}
    remove(transaction, latest)
    moment = now()
    rows = [
        {
            "face_id": exemplar.face_id,
            "class_id": exemplar.class_id,
            "weight": exemplar.weight,
            "origin": exemplar.origin,
            "png": exemplar.png,
            "created": moment,
        }
        for exemplar in latest.values()
    ]
    if rows:
        transaction.execute(insert(ExemplarRow), rows)


def remove(transaction: Connection, face_ids: Iterable[int] | NDArray[np.int64]) -> None:
    """Forget exemplars; the faces themselves stay."""
    for batch in batches(face_ids):
        transaction.execute(delete(ExemplarRow).where(ExemplarRow.face_id.in_(batch)))


def read(transaction: Connection, class_id: int | None = None) -> list[Exemplar]:
    """Return exemplars by ascending face id, of one class (as it was kept) or of all."""
    query = select(ExemplarRow.__table__).order_by(ExemplarRow.face_id)
    if class_id is not None:
        query = query.where(ExemplarRow.class_id == class_id)
    return [
        Exemplar(row.face_id, row.class_id, row.weight, row.origin, row.png)
        for row in transaction.execute(query)
    ]


def kept_as(transaction: Connection) -> dict[int, int]:
    """Return the class of each exemplar, as it was kept, by face id."""
    rows = transaction.execute(select(ExemplarRow.face_id, ExemplarRow.class_id))
    return {face_id: class_id for face_id, class_id in rows}
