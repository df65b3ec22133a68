"""Counting by consensus: three estimators that fail in different ways, and the one in the middle."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from owcl.novelty.counting.anchored_cut import AnchoredCutCount
from owcl.novelty.counting.base import PartitionCount
from owcl.novelty.counting.calibrated_cut import CalibratedCutCount
from owcl.novelty.counting.partitions import clusters_of
from owcl.novelty.counting.scaled_density import ScaledDensityCount


class ConsensusCount(PartitionCount):
    """The median of the counts of density and two tree cuts, with the clusters of the first that says so."""

    def __init__(self, smallest: int = 30, false_share: float = 0.15) -> None:
        super().__init__(smallest, false_share)
        kinds = (ScaledDensityCount, CalibratedCutCount, AnchoredCutCount)
        self._estimators = [kind(smallest, false_share) for kind in kinds]

    def fit(self, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> Self:
        """Let each estimator learn; see `PartitionCount.fit`."""
        for estimator in self._estimators:
            estimator.fit(embeddings, labels)
        return super().fit(embeddings, labels)

    def partition(
        self, points: NDArray[np.float32], smallest: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return the `(M,)` cluster of each whitened face."""
        partitions = [estimator.partition(points, smallest, rng) for estimator in self._estimators]
        counts = [clusters_of(labels) for labels in partitions]
        return partitions[counts.index(sorted(counts)[len(counts) // 2])]
