"""Counting by pruning: far too many prototypes, of which those stay that are used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from owcl.memory.pruning import pruned
from owcl.novelty.counting.base import PartitionCount, Registered
from owcl.novelty.counting.partitions import LARGEST_TREE, extended, nearest_centres, numbered, sample

PROTOTYPES = 10
"""Rows of the over-complete head for each registered class."""


class PruningCount(PartitionCount):
    """Prototypes of an over-clustered pool, pruned by their usage.

    Source:
        CAL, dynamic prototype pruning. There the prototypes are rows of a head in training; here they are
        centres of k-means on the pool, since an estimator trains nothing.
    """

    def learn(self, registered: Registered) -> None:
        """Count the registered classes: the head is ten times as large."""
        self._prototypes = PROTOTYPES * len(np.unique(registered.classes))

    def partition(
        self, points: NDArray[np.float32], smallest: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return the `(M,)` cluster of each whitened face."""
        rows = sample(len(points), LARGEST_TREE, rng)
        count = min(self._prototypes, len(rows))
        model = KMeans(count, n_init=1, random_state=int(rng.integers(2**31))).fit(points[rows])
        usage = np.bincount(model.labels_, minlength=count)
        kept = pruned(model.cluster_centers_.astype(np.float64), usage)
        nearest, _ = nearest_centres(points, rows, kept.prototypes.astype(np.float32))
        # A centre that was moved by merging may be nobody's nearest.
        return numbered(extended(points, rows, numbered(nearest, 1)), smallest)
