"""Counting by density, in the metric and on the scale that the registered classes set."""

from __future__ import annotations

from itertools import combinations
from typing import Self

import numpy as np
from numpy.typing import NDArray

from owcl.novelty.base import NO_CLUSTER, CountEstimate
from owcl.novelty.counting.density import DensityCount, partition, reduced, resampled_count
from owcl.novelty.whitening import WithinClassWhitening

SEPARATION = 7.0
"""Standard deviations, as registered classes have them inside, by which two methods are apart."""


class ScaledDensityCount:
    """Density leaves of the whitened pool, fused where they are too close to be two methods.

    Whitening lets density see the traces of generators, and with them the modes that a single generator
    has: one that redraws the mouth here and the eyes there leaves several dense heaps. In the whitened
    space the scatter inside registered classes is the unit, and so how far apart two heaps must be to be two
    methods can be said once for every embedding.

    Args:
        smallest: faces that make a class.
    """

    def __init__(self, smallest: int = 30) -> None:
        self.smallest = smallest

    def fit(self, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> Self:
        """Learn the metric from `(N, D)` embeddings of registered classes and their `(N,)` labels.

        Raises:
            BadInput: if no class has two faces, or an entry is not finite.
        """
        self._metric = WithinClassWhitening().fit(embeddings, labels)
        return self

    def estimate(self, pool: NDArray[np.float32], rng: np.random.Generator) -> CountEstimate:
        """Count, cluster, and repeat on resamples for the interval and the stability.

        Raises:
            BadInput: if an entry is not finite.
        """
        if len(pool) < self.smallest:
            return DensityCount(self.smallest).estimate(pool, rng)
        points = reduced(self._metric.transform(pool))

        def divide(rows: NDArray[np.int64], smallest: int) -> NDArray[np.int64]:
            return fused(points[rows], partition(points[rows], smallest), SEPARATION)

        return resampled_count(len(pool), divide, self.smallest, rng)


def separation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return how far apart two sets of faces are, in standard deviations along the line of their centres.

    Args:
        first: `(N, D)` embeddings.
        second: `(M, D)` embeddings.

    Source:
        The sensitivity index d' of signal detection: distance of means over the root of the mean variance.
    """
    line = first.mean(axis=0, dtype=np.float64) - second.mean(axis=0, dtype=np.float64)
    distance = float(np.linalg.norm(line))
    if not distance:
        return 0.0
    spread = np.sqrt((np.var(first @ (line / distance)) + np.var(second @ (line / distance))) / 2)
    return distance / max(float(spread), 1e-12)


def fused(vectors: NDArray[np.floating], labels: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
    """Fuse the closest two clusters until no two are closer than the scale.

    Args:
        vectors: `(M, D)` embeddings.
        labels: `(M,)` clusters; `NO_CLUSTER` where a face belongs to none.
        scale: smallest separation of two clusters.

    Returns:
        `(M,)` clusters, numbered from 0.
    """
    labels = labels.copy()
    while True:
        present = np.unique(labels[labels != NO_CLUSTER])
        apart = {
            (one, other): separation(vectors[labels == one], vectors[labels == other])
            for one, other in combinations(present.tolist(), 2)
        }
        closest = min(apart, key=lambda pair: apart[pair], default=None)
        if closest is None or apart[closest] >= scale:
            return np.where(labels == NO_CLUSTER, NO_CLUSTER, np.searchsorted(present, labels))
        labels[labels == closest[1]] = closest[0]
