"""Memberships: which face belongs to which class, on whose word; superseded, never overwritten.

A face belongs to one class at a time. Every row knows the decision that began it and the one that ended
it, so a decision can be taken back exactly without keeping lists of faces in the log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, Select, func, insert, select, update

from owcl.types import UNKNOWN
from storage import classes, merges
from storage.columns import now
from storage.rows import as_columns, batches, id_array
from storage.schema import DecisionRow, MembershipRow

Origin = Literal["label", "promotion", "operator", "pseudo"]


@dataclass(frozen=True)
class Memberships:
    """Faces and the classes they belong to; all columns are `(N,)`, by ascending face id."""

    face_ids: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    """Resolved: a merged class is replaced by what it stands for."""
    origins: tuple[Origin, ...]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class Grounds:
    """On whose word faces belong to a class, how much that weighs in training, and the decision."""

    origin: Origin
    weight: float = 1.0
    decision: int | None = None


def assign(
    transaction: Connection, face_ids: Iterable[int] | NDArray[np.int64], class_id: int, grounds: Grounds
) -> None:
    """Let faces belong to a class from now on, and no longer to another.

    Faces that belong to it already, on the same grounds but for the decision, are left as they are.

    Raises:
        NotFound: if there is no such class.
    """
    classes.get(transaction, class_id)
    wanted = _unique(face_ids)
    asked = (class_id, grounds.origin, grounds.weight)
    settled = {
        face_id
        for face_id, row in _newest(transaction, wanted).items()
        if row.ended is None and (row.class_id, row.origin, row.weight) == asked
    }
    moving = [face_id for face_id in wanted.tolist() if face_id not in settled]
    end(transaction, moving, grounds.decision)
    _insert(transaction, [(face_id, *asked) for face_id in moving], grounds.decision)


def end(
    transaction: Connection, face_ids: Iterable[int] | NDArray[np.int64], decision: int | None = None
) -> None:
    """Let faces belong to no class from now on; those that belong to none are left as they are."""
    ended = {"ended": now(), "ended_by": decision}
    for batch in batches(face_ids):
        active_here = MembershipRow.face_id.in_(batch), MembershipRow.ended.is_(None)
        transaction.execute(update(MembershipRow).where(*active_here).values(ended))


def revert(transaction: Connection, decision: int, by: int) -> NDArray[np.int64]:
    """Give the faces that a decision moved back to where they were, as decision `by`.

    Faces that were moved again since are left where they are: that was a later word. A later word that was
    itself taken back, so that its faces are where this decision put them, is none.

    Returns:
        `(N,)` ids of the faces that went back.
    """
    begun, ended = _moves(transaction, decision)
    touched = _unique([*begun, *ended])
    newest = _newest(transaction, touched)
    taken_back = set(
        transaction.execute(select(DecisionRow.id).where(DecisionRow.undoes.is_not(None))).scalars()
    )
    untouched = [
        face_id
        for face_id in touched.tolist()
        if _stands(begun.get(face_id), ended.get(face_id), newest[face_id], taken_back)
    ]
    end(transaction, untouched, by)
    back = [ended[face_id] for face_id in untouched if face_id in ended]
    _insert(transaction, [(row.face_id, row.class_id, row.origin, row.weight) for row in back], by)
    return id_array(untouched)


def active(transaction: Connection) -> Memberships:
    """Return all faces that belong to a class now."""
    return resolved(transaction, as_written(transaction))


def as_written(transaction: Connection) -> Memberships:
    """Return all faces that belong to a class now, under the class that they were put into."""
    columns = MembershipRow.face_id, MembershipRow.class_id, MembershipRow.origin, MembershipRow.weight
    query = select(*columns).where(MembershipRow.ended.is_(None)).order_by(MembershipRow.face_id)
    found = as_columns(transaction.execute(query), np.int64, np.int64, object, np.float64)
    face_ids, class_ids, origins, weights = found
    return Memberships(face_ids, class_ids, tuple(origins.tolist()), weights)


def resolved(transaction: Connection, found: Memberships) -> Memberships:
    """Replace merged classes by those that they were merged into."""
    return replace(found, class_ids=merges.resolve_all(transaction, found.class_ids))


def newest(transaction: Connection, face_ids: NDArray[np.int64]) -> Memberships:
    """Return where those of `face_ids` belong that belonged to a class once; `UNKNOWN` for none any more."""
    rows = [row for _, row in sorted(_newest(transaction, _unique(face_ids)).items())]
    found = Memberships(
        id_array(row.face_id for row in rows),
        id_array(row.class_id if row.ended is None else UNKNOWN for row in rows),
        tuple(row.origin for row in rows),
        np.array([row.weight for row in rows], np.float64),
    )
    return resolved(transaction, found)


def members(transaction: Connection, class_id: int) -> NDArray[np.int64]:
    """Return the `(N,)` ids of the faces of a class and of all that was merged into it, ascending.

    A class that was merged itself has none: they are those of the class that it stands for.

    Raises:
        NotFound: if there is no such class.
    """
    classes.get(transaction, class_id)
    ids = merges.absorbed(transaction, class_id)
    query = select(MembershipRow.face_id).where(
        MembershipRow.class_id.in_(ids), MembershipRow.ended.is_(None)
    )
    return id_array(transaction.execute(query.order_by(MembershipRow.face_id)).scalars())


def taken_out(transaction: Connection, class_id: int | None = None) -> NDArray[np.int64]:
    """Return the `(N,)` ids of the faces that belonged to a class once and belong to none now, ascending.

    Args:
        transaction: reads.
        class_id: only those that belonged to this class, or to one that stands for it now.
    """
    present = select(MembershipRow.face_id).where(MembershipRow.ended.is_(None))
    query = select(MembershipRow.face_id).where(MembershipRow.face_id.not_in(present)).distinct()
    if class_id is not None:
        query = query.where(MembershipRow.class_id.in_(merges.absorbed(transaction, class_id)))
    return id_array(transaction.execute(query.order_by(MembershipRow.face_id)).scalars())


def moved_by(transaction: Connection, decision: int) -> dict[int, tuple[int | None, int | None]]:
    """Return for each face that a decision moved the classes before and after it, as they were written."""
    begun, ended = _moves(transaction, decision)
    return {
        face_id: (
            ended[face_id].class_id if face_id in ended else None,
            begun[face_id].class_id if face_id in begun else None,
        )
        for face_id in sorted(begun.keys() | ended.keys())
    }


def _moves(
    transaction: Connection, decision: int
) -> tuple[dict[int, Row[*tuple[Any, ...]]], dict[int, Row[*tuple[Any, ...]]]]:
    """Return by face id the rows that a decision began and left, and those of others that it ended."""
    began, ended = MembershipRow.decision == decision, MembershipRow.ended_by == decision
    rows = transaction.execute(_query().where(began | ended)).all()
    return (
        {row.face_id: row for row in rows if row.decision == decision and row.ended_by != decision},
        {row.face_id: row for row in rows if row.ended_by == decision and row.decision != decision},
    )


def _stands(
    begun: Row[*tuple[Any, ...]] | None,
    ended: Row[*tuple[Any, ...]] | None,
    newest: Row[*tuple[Any, ...]],
    taken_back: Collection[int],
) -> bool:
    """Say whether a face is where a decision left it, by the rows that this began and ended, and its newest.

    The newest is the one that the decision began or, where it began none, the one that it ended; or a later
    decision that moved the face was taken back, which wrote the same again.
    """
    if begun is None:
        assert ended is not None
        return newest.ended is not None and (newest.id == ended.id or newest.ended_by in taken_back)
    if newest.ended is not None:
        return False
    same = (newest.class_id, newest.origin, newest.weight) == (begun.class_id, begun.origin, begun.weight)
    return newest.id == begun.id or (same and newest.decision in taken_back)


def _newest(transaction: Connection, face_ids: NDArray[np.int64]) -> dict[int, Row[*tuple[Any, ...]]]:
    found: dict[int, Row[*tuple[Any, ...]]] = {}
    for batch in batches(face_ids):
        newest = select(func.max(MembershipRow.id)).where(MembershipRow.face_id.in_(batch))
        query = _query().where(MembershipRow.id.in_(newest.group_by(MembershipRow.face_id)))
        found.update((row.face_id, row) for row in transaction.execute(query))
    return found


def _insert(
    transaction: Connection, entries: list[tuple[int, int, str, float]], decision: int | None
) -> None:
    moment = now()
    rows = [
        {
            "face_id": face_id,
            "class_id": class_id,
            "origin": origin,
            "weight": weight,
            "decision": decision,
            "created": moment,
        }
        for face_id, class_id, origin, weight in entries
    ]
    if rows:
        transaction.execute(insert(MembershipRow), rows)


def _unique(face_ids: Iterable[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(face_ids if isinstance(face_ids, np.ndarray) else id_array(face_ids))


def _query() -> Select[*tuple[Any, ...]]:
    return select(
        MembershipRow.id,
        MembershipRow.face_id,
        MembershipRow.class_id,
        MembershipRow.origin,
        MembershipRow.weight,
        MembershipRow.decision,
        MembershipRow.ended,
        MembershipRow.ended_by,
    )
