"""Counting by a tree that is cut where the registered classes come apart best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import adjusted_rand_score

from owcl.novelty.counting.base import PartitionCount, Registered
from owcl.novelty.counting.partitions import extended, numbered
from owcl.novelty.counting.tightness import Tightness

RESERVE = 1.15
"""New classes are a little looser than those that were learned from."""


class CalibratedCutCount(PartitionCount):
    """Average linkage of the pool, cut at the height that divides the anchors into their classes.

    What is looser than a registered class is no cluster.
    """

    def learn(self, registered: Registered) -> None:
        """Learn how tight a class is."""
        self._tightness = Tightness(registered.of_each())

    def partition(
        self, points: NDArray[np.float32], smallest: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return the `(M,)` cluster of each whitened face."""
        rows, pool, anchors = self.look(points, rng)
        lowest, _ = best_heights(linkage(anchors, "average"), self._anchors.classes)
        cut = fcluster(linkage(pool, "average"), RESERVE * lowest, "distance")
        labels = numbered(cut.astype(np.int64), max(2, smallest * len(rows) // len(points)))
        return self._tightness.sifted(points, numbered(extended(points, rows, labels), smallest))


def best_heights(tree: NDArray[np.float64], classes: NDArray[np.int64]) -> tuple[float, float]:
    """Return the lowest and the highest cut of a tree that agree best with classes.

    Args:
        tree: of `scipy.cluster.hierarchy.linkage`, over points of which the last ones have classes.
        classes: `(A,)` of the last points.

    Source:
        Agreement is the adjusted Rand index (Hubert and Arabie, Journal of Classification 1985).
    """
    heights = _telling_heights(tree, len(classes))
    agreement = np.array(
        [
            adjusted_rand_score(classes, fcluster(tree, height, "distance")[-len(classes) :])
            for height in heights
        ]
    )
    best = np.flatnonzero(agreement >= agreement.max() - 1e-12)
    # A cut tells the same of the classes until the next height at which two of their branches are joined.
    beyond = np.append(heights[1:], np.inf)[best[-1]]
    return float(heights[best[0]]), float(np.nextafter(beyond, 0))


def _telling_heights(tree: NDArray[np.float64], classed: int) -> NDArray[np.float64]:
    """Return the heights at which two branches are joined that both hold points with classes."""
    leaves = len(tree) + 1
    holds = np.zeros(2 * leaves - 1, bool)
    holds[leaves - classed : leaves] = True
    heights = [0.0]
    for number, (one, other, height, _) in enumerate(tree):
        if holds[int(one)] and holds[int(other)]:
            heights.append(height)
        holds[leaves + number] = holds[int(one)] or holds[int(other)]
    return np.unique(heights)
