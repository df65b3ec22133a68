"""What was discovered: class by class, and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PURE = 0.8
RECALLED = 0.5
FUSED = 0.2


@dataclass(frozen=True)
class Discoveries:
    """Promoted classes against the novel methods that have arrived."""

    purity: dict[int, float]
    majority: dict[int, int]
    discovered: frozenset[int]
    """Novel methods of which one class holds most, and little else."""
    fragments: dict[int, int]
    """Classes with the majority of each novel method."""
    fused: frozenset[int]
    false: frozenset[int]
    """Classes whose majority is no novel method, or less than half."""
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def discoveries(members: Mapping[int, Mapping[int, int]], arrived: Mapping[int, int]) -> Discoveries:
    """Judge promoted classes.

    Args:
        members: for each class, how many of its faces each method made.
        arrived: novel methods that have arrived, and how many of their faces came in.
    """
    sizes = {class_id: sum(counts.values()) for class_id, counts in members.items()}
    majority = {class_id: max(counts, key=lambda m: (counts[m], -m)) for class_id, counts in members.items()}
    purity = {class_id: members[class_id][majority[class_id]] / sizes[class_id] for class_id in members}
    makes_it = {
        class_id: majority[class_id]
        for class_id in members
        if majority[class_id] in arrived
        and purity[class_id] >= PURE
        and members[class_id][majority[class_id]] / arrived[majority[class_id]] >= RECALLED
    }
    second = {
        class_id: max((n for m, n in counts.items() if m != majority[class_id]), default=0) / sizes[class_id]
        for class_id, counts in members.items()
    }
    found = frozenset(makes_it.values())
    return Discoveries(
        purity,
        majority,
        found,
        {method: list(majority.values()).count(method) for method in arrived},
        frozenset(class_id for class_id, share in second.items() if share >= FUSED),
        frozenset(
            class_id for class_id in members if majority[class_id] not in arrived or purity[class_id] < 0.5
        ),
        len(makes_it) / len(members) if members else 0.0,
        len(found) / len(arrived) if arrived else 0.0,
    )


def count_mae(estimates: Sequence[float], true: Sequence[float]) -> float:
    """Return the mean absolute error of the numbers of new classes."""
    return float(np.mean(np.abs(np.subtract(estimates, true))))


def swaps(before: Mapping[int, int | None], after: Mapping[int, int | None]) -> int:
    """Return how many pairs of ids exchanged the methods that they stand for."""
    ids = sorted(before.keys() & after.keys())
    return sum(
        before[a] == after[b] and before[b] == after[a] and before[a] != before[b]
        for index, a in enumerate(ids)
        for b in ids[index + 1 :]
    )


def persistence(attributed: Mapping[int, NDArray[np.int64]], discovered_as: Mapping[int, int]) -> float:
    """Return the share of methods whose faces mostly get the id that discovered them.

    Args:
        attributed: for each method that is back, the ids of its `(N,)` new faces.
        discovered_as: method → class id.
    """
    kept = [
        float(np.mean(ids == discovered_as[method])) > 0.5
        for method, ids in attributed.items()
        if method in discovered_as and len(ids)
    ]
    return float(np.mean(kept)) if kept else float("nan")
