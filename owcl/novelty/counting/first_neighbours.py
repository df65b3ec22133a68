"""Counting by first neighbours: who is whose nearest, level by level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import silhouette_score

from owcl.novelty.counting.base import PartitionCount
from owcl.novelty.counting.partitions import LARGEST_TREE, extended, numbered, reduced, sample
from owcl.novelty.indexes import on_gpu


class FirstNeighbourCount(PartitionCount):
    """The level of the hierarchy of first neighbours at which clusters are the most compact.

    It has nothing to set, and cannot say that there is no class or one.

    Source:
        Sarfraz, Sharma and Stiefelhagen, Efficient parameter-free clustering using first neighbor
        relations, CVPR 2019 (FINCH); the level by the silhouette of Rousseeuw, Journal of Computational and
        Applied Mathematics 1987.
    """

    def partition(
        self, points: NDArray[np.float32], smallest: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return the `(M,)` cluster of each whitened face."""
        rows = sample(len(points), LARGEST_TREE, rng)
        space = reduced(points[rows])
        levels = [level for level in hierarchy(space) if 2 <= level.max() + 1 < len(rows)]
        best = max(levels, key=lambda level: silhouette_score(space, level), default=np.zeros(len(rows), int))
        return numbered(extended(points, rows, best.astype(np.int64)), smallest)


def hierarchy(points: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Return the partitions of `(M, d)` points, the finest first, until one cluster is left."""
    levels: list[NDArray[np.int64]] = []
    labels = np.arange(len(points))
    while labels.max(initial=0) > 0:
        count = int(labels.max()) + 1
        sums = np.zeros((count, points.shape[1]))
        np.add.at(sums, labels, points)
        groups = first_neighbour_groups(sums / np.bincount(labels)[:, None])
        labels = groups[labels]
        levels.append(labels)
    return levels


def first_neighbour_groups(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the connected component of each of `(M, d)` points, where each is tied to its nearest."""
    return tied(np.arange(len(points)), first_neighbours(points))


def first_neighbours(points: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the `(M,)` row of the nearest other of `(M, d)` points, at least two."""
    import faiss

    index = on_gpu(faiss.IndexFlatL2(points.shape[1]))
    vectors = np.ascontiguousarray(points, np.float32)
    index.add(vectors)
    _, found = index.search(vectors, 2)
    nearest: NDArray[np.int64] = np.where(found[:, 0] == np.arange(len(points)), found[:, 1], found[:, 0])
    return nearest


def tied(rows: NDArray[np.int64], nearest: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the `(M,)` connected component of each point.

    Args:
        rows: of the points that are tied to their nearest.
        nearest: `(M,)` row of each point's nearest.
    """
    count = len(nearest)
    ties = coo_matrix((np.ones(len(rows)), (rows, nearest[rows])), shape=(count, count))
    groups: NDArray[np.int64] = connected_components(ties, directed=False)[1].astype(np.int64)
    return groups
