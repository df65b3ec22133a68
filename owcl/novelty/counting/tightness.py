"""Is a cluster as tight as a class, or a heap of what was left over?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from owcl.novelty.base import NO_CLUSTER
from owcl.novelty.counting.partitions import clusters_of, numbered, radius

TOWARDS_LOOSE = 0.75
"""Where the limit lies between the widest registered class and all classes in one heap, in the logarithm."""


class Tightness:
    """Sifts out clusters that are too loose to be a class.

    The widest registered class is one limit: new classes are not tighter than those that were learned from.
    All registered classes in one heap are the other: junk and false alarms make a heap like it.

    Args:
        exemplars: `(N, D)` vectors of each registered class.
    """

    def __init__(self, exemplars: Sequence[NDArray[np.floating]]) -> None:
        widest = max(map(radius, exemplars))
        loose = max(radius(np.concatenate(exemplars)), widest)
        self.widest = widest * (loose / widest) ** TOWARDS_LOOSE

    def sifted(self, points: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the labels without clusters that are too loose, numbered anew."""
        tight = [
            cluster
            for cluster in range(clusters_of(labels))
            if radius(points[labels == cluster]) <= self.widest
        ]
        return numbered(np.where(np.isin(labels, tight), labels, NO_CLUSTER), 1)
