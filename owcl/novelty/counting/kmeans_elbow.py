"""Counting by k-means over pool and anchors, with the number at which the anchors are clustered best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from owcl.novelty.base import NO_CLUSTER
from owcl.novelty.counting.base import PartitionCount
from owcl.novelty.counting.density import KNOWN_SHARE
from owcl.novelty.counting.partitions import extended, numbered

LARGEST_COUNT = 15
"""New classes that are tried at most."""


class KMeansElbowCount(PartitionCount):
    """The number of clusters at which anchors are told apart best and clusters are the most compact.

    Source:
        Vaze, Han, Vedaldi and Zisserman, Generalized category discovery, CVPR 2022 (accuracy on labelled
        classes); the silhouette decides between numbers that are as good.
    """

    def partition(
        self, points: NDArray[np.float32], smallest: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return the `(M,)` cluster of each whitened face."""
        rows, pool, anchors = self.look(points, rng)
        space = np.concatenate([pool, anchors])
        known = len(np.unique(self._anchors.classes))
        seed = int(rng.integers(2**31))
        partitions = [
            KMeans(known + new, n_init=1, random_state=seed).fit_predict(space).astype(np.int64)
            for new in range(LARGEST_COUNT + 1)
            if 2 <= known + new < len(space)
        ]
        best = max(partitions, key=lambda labels: self._quality(space, labels, len(rows)))
        sizes = np.bincount(best)
        anchored = np.bincount(best[len(rows) :], minlength=len(sizes))
        labels = best[: len(rows)]
        new = np.where(anchored[labels] < KNOWN_SHARE * sizes[labels], labels, NO_CLUSTER)
        return numbered(extended(points, rows, numbered(new, 2)), smallest)

    def _quality(self, space: NDArray[np.float64], labels: NDArray[np.int64], pool: int) -> float:
        accuracy = matched_accuracy(self._anchors.classes, labels[pool:])
        return accuracy + float(silhouette_score(space, labels, sample_size=1000, random_state=0))


def matched_accuracy(classes: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """Return the share of points in the cluster that is matched with their class, one to one."""
    _, rows = np.unique(classes, return_inverse=True)
    table = np.zeros((rows.max() + 1, labels.max() + 1))
    np.add.at(table, (rows, labels), 1)
    best = linear_sum_assignment(-table)
    return float(table[best].sum() / len(classes))
