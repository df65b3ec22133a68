"""What resamples of a pool say of its partition: how many clusters, and which of them come back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from owcl.novelty.counting.partitions import clusters_of, extended, numbered, overlaps

RESAMPLES = 20
RESAMPLED = 0.8
"""Share of each cluster that a resample holds."""
LARGEST_RESAMPLE = 1000
"""Faces of one, or `SPARED` times the smallest class for each cluster where these are more."""
SPARED = 2
"""With an upper limit of fewer, what a resample loses of a class would leave too few to be one."""
AGREEING = 2 / 3
"""Share of the resamples that overrules the count of the whole pool."""
SAME_CLUSTER = 0.6
"""Jaccard similarity above which a resample's cluster is the same."""


def resample(labels: NDArray[np.int64], smallest: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw rows of a pool, with an upper limit for each cluster where the pool is large.

    Args:
        labels: `(M,)` partition of the pool.
        smallest: faces that make a class.
        rng: draws them.
    """
    cap = max(SPARED * smallest, LARGEST_RESAMPLE // (clusters_of(labels) + 1))
    if len(labels) <= LARGEST_RESAMPLE:
        cap = len(labels)
    drawn = []
    for cluster in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == cluster))[:cap]
        drawn.append(rows[: round(RESAMPLED * len(rows))])
    return np.sort(np.concatenate(drawn))


def stability(
    labels: NDArray[np.int64], resampled: list[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> tuple[float, ...]:
    """Return for each cluster the share of resamples in which some cluster is the same faces.

    Args:
        labels: `(M,)` partition of the pool.
        resampled: the rows of each resample, and their partition.
    """
    came_back = np.zeros((len(resampled), clusters_of(labels)))
    for number, (rows, partition) in enumerate(resampled):
        came_back[number] = overlaps(labels[rows], partition, came_back.shape[1]) >= SAME_CLUSTER
    return tuple(came_back.mean(axis=0).tolist())


def spread(counts: Sequence[int]) -> dict[str, object]:
    """Return how far the counts of resamples agree: all of them, the commonest one's share, 10 to 90 %."""
    if not counts:
        return {"counts_of_resamples": []}
    commonest = np.bincount(counts).max() / len(counts)
    low, high = np.quantile(counts, [0.1, 0.9])
    return {
        "counts_of_resamples": list(counts),
        "median": float(np.median(counts)),
        "share_of_the_commonest": round(float(commonest), 4),
        "from_10_to_90_percent": [round(float(low), 4), round(float(high), 4)],
    }


def agreed(value: int, counts: Sequence[int]) -> int:
    """Return the count of the whole pool, or the one that `AGREEING` resamples have instead.

    Nothing stays nothing: of a heap that is too loose to be a class, parts may be tight by chance.
    """
    times = np.bincount(counts)
    return int(times.argmax()) if value and times.max() >= AGREEING * len(counts) else value


def typical(
    points: NDArray[np.float32],
    resampled: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
    value: int,
    smallest: int,
) -> NDArray[np.int64]:
    """Return the partition with so many parts that the resamples bear out best, extended to the whole pool.

    Args:
        points: `(M, D)`.
        resampled: the rows of each resample, and their partition.
        value: parts that it has; at least one resample has as many.
        smallest: faces that make a part.
    """
    found = [
        numbered(extended(points, rows, labels), smallest)
        for rows, labels in resampled
        if clusters_of(labels) == value
    ]
    return max(found, key=lambda labels: sum(stability(labels, resampled)))
