"""Merges: tombstones that point to other classes, and where their chains end."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from owcl.errors import Conflict
from storage.schema import ClassRow


def targets(transaction: Connection) -> dict[int, int]:
    """Return for each merged class the one that it was merged into."""
    query = select(ClassRow.id, ClassRow.merged_into).where(ClassRow.merged_into.is_not(None))
    return {merged: target for merged, target in transaction.execute(query) if target is not None}


def chain(links: Mapping[int, int], class_id: int) -> list[int]:
    """Return the classes from one to what it stands for, both included.

    Example:
        >>> chain({12: 10, 10: 7}, 12)
        [12, 10, 7]
    """
    passed = [class_id]
    while passed[-1] in links:
        passed.append(links[passed[-1]])
    return passed


def resolve_all(transaction: Connection, class_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `(N,)` class ids with merged ones replaced by what they stand for; unknown stays unknown."""
    links = targets(transaction)
    resolved = class_ids.copy()
    for merged in links:
        resolved[class_ids == merged] = chain(links, merged)[-1]
    return resolved


def absorbed(transaction: Connection, class_id: int) -> list[int]:
    """Return the ids that stand for a class: itself and all that were merged into it, by id.

    Nothing stands for a class that was merged itself.
    """
    links = targets(transaction)
    return sorted(id_ for id_ in {class_id, *links} if chain(links, id_)[-1] == class_id)


def rejected(transaction: Connection) -> list[int]:
    """Return the ids of the classes that were rejected, and of all that were merged into one of them."""
    ids = transaction.execute(select(ClassRow.id).where(ClassRow.status == "rejected")).scalars().all()
    return [absorbed_id for class_id in ids for absorbed_id in absorbed(transaction, class_id)]


def refuse_ring(transaction: Connection, class_id: int, into: int) -> None:
    """Refuse a merge that would lead back to where it starts.

    Raises:
        Conflict: if `class_id` is on the chain from `into` to what that stands for.
    """
    passed = chain(targets(transaction), into)
    if class_id in passed:
        words = " → ".join(map(str, passed))
        raise Conflict(
            f"class {class_id}: it cannot be merged into class {into}, because that leads back to it: "
            f"{words}. Undo a merge of the chain first, or merge the other way round."
        )
