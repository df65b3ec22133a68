"""Has anything changed? Cheap to ask, so that a page need not read everything again."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from storage.schema import AttributionRow, ClassRow, DecisionRow, FaceRow, MembershipRow


class State(NamedTuple):
    """Numbers of which one at least is another after any change of what it is named after."""

    faces: int
    attributions: int
    memberships: tuple[int, int]
    """Those that began, and those that ended."""
    decisions: int
    classes: int


def state(transaction: Connection) -> State:
    """Return numbers that are others after any change of faces, attributions, memberships or classes."""
    counted = select(func.max(MembershipRow.id), func.count(MembershipRow.ended))
    began, ended = transaction.execute(counted).one()
    return State(
        _number(transaction, func.max(FaceRow.id)),
        _number(transaction, func.max(AttributionRow.id)),
        (began or 0, ended),
        _number(transaction, func.max(DecisionRow.id)),
        _number(transaction, func.sum(ClassRow.version)),
    )


def _number(transaction: Connection, of_rows: ColumnElement[int]) -> int:
    return transaction.execute(select(of_rows)).scalar() or 0
