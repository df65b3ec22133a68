"""Counting by a tree of pool and anchors together, cut where the anchors come apart best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from owcl.novelty.base import NO_CLUSTER
from owcl.novelty.counting.calibrated_cut import CalibratedCutCount, best_heights
from owcl.novelty.counting.density import KNOWN_SHARE
from owcl.novelty.counting.partitions import extended, numbered


class AnchoredCutCount(CalibratedCutCount):
    """Average linkage of pool and anchors, cut where the anchors agree best with their classes.

    Clusters in which a tenth are anchors are registered classes; none is looser than one of these.
    """

    def partition(
        self, points: NDArray[np.float32], smallest: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return the `(M,)` cluster of each whitened face."""
        rows, pool, anchors = self.look(points, rng)
        tree = linkage(np.concatenate([pool, anchors]), "average")
        _, highest = best_heights(tree, self._anchors.classes)
        everything = fcluster(tree, highest, "distance").astype(np.int64)
        sizes = np.bincount(everything)
        anchored = np.bincount(everything[len(rows) :], minlength=len(sizes))
        labels = everything[: len(rows)]
        new = np.where(anchored[labels] < KNOWN_SHARE * sizes[labels], labels, NO_CLUSTER)
        found = numbered(new, max(2, smallest * len(rows) // len(points)))
        return self._tightness.sifted(points, numbered(extended(points, rows, found), smallest))
