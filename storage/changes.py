"""Has anything changed? Cheap to ask, so that a page need not read everything again."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from storage.schema import AttributionRow, ClassRow, DecisionRow, FaceRow, MembershipRow


def state(transaction: Connection) -> tuple[int, ...]:
    """Return numbers that are others after any change of faces, attributions, memberships or classes."""
    counted = (
        func.max(FaceRow.id),
        func.max(AttributionRow.id),
        func.max(MembershipRow.id),
        func.max(DecisionRow.id),
        func.sum(ClassRow.version),
    )
    return tuple(transaction.execute(select(number)).scalar() or 0 for number in counted)
