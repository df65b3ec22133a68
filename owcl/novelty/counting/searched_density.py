"""Counting one by one: the best cluster over all densities is taken away, until none is large enough."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import DBSCAN
from sklearn.metrics import silhouette_samples
from sklearn.neighbors import NearestNeighbors

from owcl.novelty.base import NO_CLUSTER
from owcl.novelty.counting.base import PartitionCount
from owcl.novelty.counting.partitions import LARGEST_TREE, clusters_of, extended, numbered, reduced, sample

NEIGHBOURS = 7
DENSITIES = np.linspace(0.1, 0.9, 9)
"""Quantiles of the distance to the seventh neighbour that are tried as the radius."""


class SearchedDensityCount(PartitionCount):
    """DBSCAN at several radii: the large cluster that stands out most is taken, then the next.

    Source:
        SelfAdapt (arXiv 2504.03615), which takes one cluster an update and searches the radius. What stands
        out most is ours: the highest mean silhouette.
    """

    def partition(
        self, points: NDArray[np.float32], smallest: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return the `(M,)` cluster of each whitened face."""
        rows = sample(len(points), LARGEST_TREE, rng)
        space = reduced(points[rows])
        # As many faces as make a class of the whole pool make one of the sample in proportion.
        enough = max(NEIGHBOURS, round(smallest * len(rows) / len(points)))
        labels = np.full(len(rows), NO_CLUSTER, np.int64)
        left = np.arange(len(rows))
        while len(best := standing_out(space[left], enough)):
            labels[left[best]] = clusters_of(labels)
            left = np.delete(left, best)
        return numbered(extended(points, rows, labels), smallest)


def standing_out(points: NDArray[np.float64], smallest: int) -> NDArray[np.int64]:
    """Return the rows of the cluster with the highest mean silhouette over all radii.

    Args:
        points: `(M, d)`.
        smallest: faces that make a cluster; where there is none so large, no row is returned.
    """
    best, quality = np.empty(0, np.int64), -1.0
    if len(points) < smallest:
        return best
    to_neighbour = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(points).kneighbors(points)[0][:, -1]
    for radius in np.unique(np.quantile(to_neighbour, DENSITIES)):
        reach = max(float(radius), np.finfo(np.float64).tiny)  # Copies of one picture are 0 apart.
        labels = numbered(DBSCAN(eps=reach, min_samples=NEIGHBOURS).fit_predict(points), smallest)
        if not 2 <= len(np.unique(labels)) < len(points):
            continue
        silhouettes = silhouette_samples(points, labels)
        for cluster in range(clusters_of(labels)):
            members = np.flatnonzero(labels == cluster)
            if silhouettes[members].mean() > quality:
                best, quality = members, float(silhouettes[members].mean())
    return best
