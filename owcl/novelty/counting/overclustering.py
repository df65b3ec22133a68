"""Counting by merging: of far too many clusters, those that are each other's nearest become one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.model_selection import cross_val_predict
from sklearn.svm import SVC

from owcl.novelty.base import NO_CLUSTER
from owcl.novelty.counting.base import PartitionCount
from owcl.novelty.counting.first_neighbours import first_neighbours, tied
from owcl.novelty.counting.partitions import LARGEST_TREE, clusters_of, extended, numbered, sample

FACES_A_CLUSTER = 20
"""Of the pool there is a small cluster for so many faces, but never more than `MOST_CLUSTERS`."""
MOST_CLUSTERS = 500
SMALLEST_PURITY = 0.5
"""Share of its faces that a classifier has to give back to a cluster."""
FOLDS = 3


class OverclusteringCount(PartitionCount):
    """Small clusters of k-means, merged in pairs, and kept where a classifier finds them again.

    The purity of a cluster, whose truth nobody knows, is taken to be the share of its faces that a classifier
    which has not seen them gives back to it.

    Source:
        Girish, Suri, Rambhatla and Shrivastava, Towards discovery and attribution of open-world GAN generated
        images, ICCV 2021 (arXiv 2105.04580).
    """

    def partition(
        self, points: NDArray[np.float32], smallest: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return the `(M,)` cluster of each whitened face."""
        rows = sample(len(points), LARGEST_TREE, rng)
        count = min(MOST_CLUSTERS, len(rows) // FACES_A_CLUSTER)
        if count < 1:
            return np.full(len(points), NO_CLUSTER, np.int64)
        model = KMeans(count, n_init=1, random_state=int(rng.integers(2**31))).fit(points[rows])
        merged = mutual_neighbours(model.cluster_centers_)[model.labels_]
        return numbered(extended(points, rows, refined(points[rows], numbered(merged, FOLDS))), smallest)


def mutual_neighbours(points: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the `(M,)` group of each of `(M, d)` points: two that are each other's nearest are one group."""
    if len(points) < 2:
        return np.arange(len(points))
    nearest = first_neighbours(points)
    return tied(np.flatnonzero(nearest[nearest] == np.arange(len(points))), nearest)


def refined(points: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the `(M,)` cluster that a classifier gives each point, without clusters of which it loses half.

    Args:
        points: `(M, D)`.
        labels: `(M,)`, of each cluster at least `FOLDS` points; `NO_CLUSTER` where there is none.
    """
    if clusters_of(labels) < 2:
        return labels
    clustered = labels != NO_CLUSTER
    given = np.full(len(points), NO_CLUSTER, np.int64)
    given[clustered] = cross_val_predict(SVC(), points[clustered], labels[clustered], cv=FOLDS)
    lost = [
        cluster
        for cluster in range(clusters_of(labels))
        if (given[labels == cluster] == cluster).mean() < SMALLEST_PURITY
    ]
    return numbered(np.where(np.isin(given, lost), NO_CLUSTER, given), 1)
