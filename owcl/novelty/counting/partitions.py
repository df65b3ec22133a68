"""Partitions of points: clusters are numbered from 0, and `NO_CLUSTER` is what is in none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from owcl.novelty.base import NO_CLUSTER
from owcl.novelty.indexes import on_gpu

DIMENSIONS = 16
"""Directions that are kept; densities mean little in hundreds of them."""
LARGEST_TREE = 3000
"""Faces that are clustered at a time: neither the time nor the memory of a tree grows with the pool."""
BATCH = 100_000
"""Faces whose nearest centre is looked up at a time."""


def clusters_of(labels: NDArray[np.int64]) -> int:
    """Return how many clusters there are."""
    return int(labels.max(initial=NO_CLUSTER)) + 1


def numbered(labels: NDArray[np.int64], smallest: int) -> NDArray[np.int64]:
    """Return labels in which clusters below a size are none, and the others are numbered from 0."""
    kept = [
        cluster
        for cluster, size in zip(*np.unique(labels, return_counts=True), strict=True)
        if cluster != NO_CLUSTER and size >= smallest
    ]
    places = np.searchsorted(np.array(kept, np.int64), labels)
    return np.where(np.isin(labels, kept), places, NO_CLUSTER).astype(np.int64)


def overlaps(one: NDArray[np.int64], other: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Return the best Jaccard similarity of each of `count` clusters of one partition in the other."""
    table = np.zeros((count + 1, clusters_of(other) + 1))
    np.add.at(table, (one, other), 1)  # What is in no cluster is counted in the last row and column.
    sizes, others = table.sum(axis=1)[:-1, None], table.sum(axis=0)[None, :-1]
    shared = table[:-1, :-1]
    found: NDArray[np.float64] = (shared / np.maximum(sizes + others - shared, 1)).max(axis=1, initial=0.0)
    return found


def reduced(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return `(M, D)` vectors in the `(M, d)` principal directions in which they are clustered."""
    dimensions = min(DIMENSIONS, points.shape[1], len(points) - 1)
    if (points == points[:1]).all():  # Copies of one picture have no direction.
        return np.zeros((len(points), dimensions))
    # Sixteen of hundreds of directions are had in a fraction of the time of all of them.
    solver = "full" if min(points.shape) <= 2 * DIMENSIONS else "arpack"
    model = PCA(dimensions, svd_solver=solver, random_state=0)
    found: NDArray[np.float64] = model.fit_transform(points.astype(np.float64))
    return found


def thinned(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a few thousand rows, evenly spread, of which a median is as good as of all."""
    return rows[:: 1 + len(rows) // LARGEST_TREE]


def radius(points: NDArray[np.floating]) -> float:
    """Return the median distance of `(M, D)` points to their centre."""
    return float(np.median(np.linalg.norm(points - points.mean(axis=0), axis=1)))


def sample(size: int, limit: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return at most so many rows, in order."""
    return np.arange(size) if size <= limit else np.sort(rng.permutation(size)[:limit])


def extended(
    points: NDArray[np.float32], rows: NDArray[np.int64], labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Extend a partition of some rows to all points: each joins the nearest centre within whose reach it is.

    Args:
        points: `(M, D)`.
        rows: that were partitioned.
        labels: their parts.
    """
    return among(points, np.arange(len(points)), rows, labels)


def among(
    points: NDArray[np.float32],
    candidates: NDArray[np.int64],
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Extend a partition of some rows to candidates, as `extended` does to all points.

    Args:
        points: `(M, D)`.
        candidates: rows in ascending order, those that were partitioned among them.
        rows: that were partitioned.
        labels: their parts.

    Returns:
        `(len(candidates),)` parts.
    """
    found = np.full(len(candidates), NO_CLUSTER, np.int64)
    count = clusters_of(labels)
    if count:
        parts = [points[rows[labels == part]] for part in range(count)]
        centres = np.stack([part.mean(axis=0) for part in parts])
        reach = np.array([reach_of(part) for part in parts])
        nearest, distances = nearest_centres(points, candidates, centres)
        found = np.where(distances <= reach[nearest], nearest, NO_CLUSTER)
    clustered = labels != NO_CLUSTER
    found[np.searchsorted(candidates, rows[clustered])] = labels[clustered]
    return found


def reach_of(points: NDArray[np.floating]) -> float:
    """Return how far from the centre of a dense core its class reaches: just beyond 97.5 % of the core."""
    return 1.1 * float(np.quantile(np.linalg.norm(points - points.mean(axis=0), axis=1), 0.975))


def nearest_centres(
    points: NDArray[np.float32], rows: NDArray[np.int64], centres: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the nearest of `(C, D)` centres to each of some rows, and the distances, by `faiss`."""
    import faiss

    index = on_gpu(faiss.IndexFlatL2(centres.shape[1]))
    index.add(np.ascontiguousarray(centres, np.float32))
    nearest = np.empty(len(rows), np.int64)
    distances = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), BATCH):
        batch = slice(start, start + BATCH)
        squares, found = index.search(np.ascontiguousarray(points[rows[batch]], np.float32), 1)
        nearest[batch], distances[batch] = found[:, 0], np.sqrt(np.maximum(squares[:, 0], 0))
    return nearest, distances
