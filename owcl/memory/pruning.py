"""Dynamic prototype pruning: from an over-complete head to the rows that are used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Merged = Literal["mean", "unit"]
"""Length of a row that others were merged into: the mean of theirs, or 1 as in the released code, which gives
just these rows another scale."""
COVERAGE = 0.9544
"""Share of the predictions that the rows kept for certain cover: two sigma of a Gaussian."""


@dataclass(frozen=True)
class Pruned:
    """What is left of the rows of a head."""

    prototypes: NDArray[np.float64]
    """`(K, D)`, in decreasing order of usage."""
    rows: NDArray[np.int64]
    """`(K,)` former row of each."""
    absorbed: NDArray[np.int64]
    """`(n,)` for each former row the place among the `K` of the one that it is or was merged into."""


def kept_count(usage: NDArray[np.int64], coverage: float = COVERAGE) -> int:
    """Return how many rows survive.

    Rows in decreasing order of usage are kept until they cover the predictions. Of the tail, a row is kept
    if it is used at least as often as the tail's mean, or has fallen from the row before by at least the
    tail's mean step; at the first that is neither, all others go.

    Args:
        usage: `(n,)` predictions of each row, in any order.
        coverage: in (0, 1].

    Source:
        CAL, dynamic prototype pruning (DPP).
    """
    certain = certain_count(usage, coverage)
    tail = np.sort(usage)[::-1].astype(float)[certain:]
    if not len(tail):
        return certain
    steps = np.abs(np.diff(tail, prepend=tail[0]))
    typical = np.abs(np.diff(tail)).mean() if len(tail) > 1 else 0.0
    fails = np.flatnonzero((tail < tail.mean()) & (steps < typical))
    return int(certain + (fails[0] if len(fails) else len(tail)))


def certain_count(usage: NDArray[np.int64], coverage: float = COVERAGE) -> int:
    """Return how many rows, the most used ones, stay whatever follows: one fewer than cover the predictions.

    All of them where there is no prediction.

    Args:
        usage: `(n,)` predictions of each row, in any order.
        coverage: in (0, 1].
    """
    used = np.sort(usage)[::-1].astype(float)
    if not used.sum():
        return len(used)
    covered = np.flatnonzero(used.cumsum() / used.sum() >= coverage)
    return int(covered[0]) if len(covered) else len(used)


def pruned(
    prototypes: NDArray[np.float64],
    usage: NDArray[np.int64],
    coverage: float = COVERAGE,
    merged: Merged = "unit",
) -> Pruned:
    """Keep the rows that are used and merge each other one into the most similar of them.

    Args:
        prototypes: `(n, D)`.
        usage: `(n,)` predictions of each row.
        coverage: see `kept_count`.
        merged: length of merged rows, which are means of those that they were; other rows keep theirs.
    """
    order = np.argsort(-usage, kind="stable")
    count = kept_count(usage, coverage)
    kept, low = order[:count], order[count:]
    absorbed = np.empty(len(usage), np.int64)
    absorbed[kept] = np.arange(count)
    cosines = _directions(prototypes[low]) @ _directions(prototypes[kept]).T
    absorbed[low] = cosines.argmax(axis=1)
    sums, sizes = np.zeros((count, prototypes.shape[1])), np.bincount(absorbed, minlength=count)
    np.add.at(sums, absorbed, prototypes)
    lengths = np.bincount(absorbed, np.linalg.norm(prototypes, axis=1), count) / sizes
    directions = _directions(sums) * (lengths if merged == "mean" else np.ones(count))[:, None]
    rows = np.where((sizes > 1)[:, None], directions, prototypes[kept])
    return Pruned(rows, kept, absorbed)


def _directions(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)
