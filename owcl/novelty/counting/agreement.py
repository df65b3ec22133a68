"""Do other estimators find the same clusters?

Evidence of a promotion and no condition, since the others see less than the default.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from owcl.novelty.counting.partitions import clusters_of, overlaps

WITNESSES = ("density", "calibrated_cut", "anchored_cut")
"""Estimators that are asked too, by their names in the registry."""
SAME_FACES = 0.5
"""Jaccard similarity from which on two estimators have found the same cluster."""


def found_by(
    labels: NDArray[np.int64], others: Mapping[str, NDArray[np.int64]]
) -> tuple[tuple[str, ...], ...]:
    """Return for each cluster which other estimators have found it.

    Args:
        labels: `(M,)` partition of the pool.
        others: partitions of the same faces by other estimators.
    """
    count = clusters_of(labels)
    similar = {name: overlaps(labels, other, count) >= SAME_FACES for name, other in others.items()}
    return tuple(tuple(name for name in others if similar[name][cluster]) for cluster in range(count))
