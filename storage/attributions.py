"""Attributions: what every model version said of every face; nothing of it is ever changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select

from owcl.errors import BadInput
from owcl.types import UNKNOWN, Attributions
from storage import merges
from storage.columns import now
from storage.rows import as_columns, batches
from storage.schema import AttributionRow, FaceRow

_NO_MODEL = 0


def write(transaction: Connection, attributions: Attributions) -> None:
    """Add to the history of each face; the newest counts.

    Raises:
        BadInput: if the columns differ in length, or a probability or p-value is not in [0, 1].
    """
    _check(attributions)
    moment = now()
    columns = zip(
        attributions.face_ids.tolist(),
        attributions.class_ids.tolist(),
        attributions.probabilities.tolist(),
        attributions.p_values.tolist(),
        strict=True,
    )
    rows = [
        {
            "face_id": face_id,
            "model_version": attributions.model_version,
            "class_id": None if class_id == UNKNOWN else class_id,
            "probability": probability,
            "p_value": p_value,
            "made": moment,
        }
        for face_id, class_id, probability, p_value in columns
    ]
    if rows:
        transaction.execute(insert(AttributionRow), rows)


def current(transaction: Connection, experience: int | None = None) -> Attributions:
    """Return what counts now, by ascending face id: the newest attribution of each face.

    Class ids are resolved: faces of a class that was merged are of the class it was merged into. Rows may
    come from several model versions; the one given is the newest among them, or 0 where there is no row.
    """
    return resolved(transaction, newest(transaction, experience))


def newest(transaction: Connection, experience: int | None = None) -> Attributions:
    """Return the newest attribution of each face, as it was made, by ascending face id."""
    return _one_a_face(transaction, func.max(AttributionRow.id), experience)


def resolved(transaction: Connection, found: Attributions) -> Attributions:
    """Replace merged classes by those that they were merged into."""
    return replace(found, class_ids=merges.resolve_all(transaction, found.class_ids))


def first_sight(transaction: Connection, experience: int | None = None) -> Attributions:
    """Return the first attribution of each face, as it was made, by ascending face id."""
    return _one_a_face(transaction, func.min(AttributionRow.id), experience)


def of_faces(transaction: Connection, face_ids: NDArray[np.int64]) -> Attributions:
    """Return what counts now for those of `face_ids` that have been attributed, by ascending face id."""
    newest = [
        select(func.max(AttributionRow.id)).where(AttributionRow.face_id.in_(batch))
        for batch in batches(np.unique(face_ids))
    ]
    rows = (transaction.execute(_columns(one.group_by(AttributionRow.face_id))) for one in newest)
    return resolved(transaction, _columnwise(chain.from_iterable(rows)))


def _columns(chosen: Select[int]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            AttributionRow.face_id,
            AttributionRow.model_version,
            func.coalesce(AttributionRow.class_id, UNKNOWN),
            AttributionRow.probability,
            AttributionRow.p_value,
        )
        .where(AttributionRow.id.in_(chosen))
        .order_by(AttributionRow.face_id)
    )


def _one_a_face(transaction: Connection, which: ColumnElement[int], experience: int | None) -> Attributions:
    chosen = select(which).group_by(AttributionRow.face_id)
    if experience is not None:
        chosen = chosen.join(FaceRow, FaceRow.id == AttributionRow.face_id)
        chosen = chosen.where(FaceRow.experience == experience)
    return _columnwise(transaction.execute(_columns(chosen)))


def _columnwise(rows: Iterable[Row[*tuple[Any, ...]]]) -> Attributions:
    kinds = np.int64, np.int64, np.int64, np.float64, np.float64
    face_ids, versions, class_ids, probabilities, p_values = as_columns(rows, *kinds)
    return Attributions(
        face_ids, class_ids, probabilities, p_values, model_version=int(versions.max(initial=_NO_MODEL))
    )


def _check(attributions: Attributions) -> None:
    shares = {"probabilities": attributions.probabilities, "p-values": attributions.p_values}
    columns = {"face ids": attributions.face_ids, "class ids": attributions.class_ids} | shares
    if len({column.shape for column in columns.values()}) > 1:
        lengths = ", ".join(f"{column.shape[0]} {name}" for name, column in columns.items())
        raise BadInput(f"attributions: {lengths}. Columns of equal length are expected.")
    for name, share in shares.items():
        bad = ~((share >= 0) & (share <= 1))
        if bad.any():
            raise BadInput(
                f"attributions: {name} of face {attributions.face_ids[bad][0]} is {share[bad][0]}. A number "
                "in [0, 1] is expected. Look at the score and its calibration."
            )
