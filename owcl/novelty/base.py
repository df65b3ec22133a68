"""What scores and estimators are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

NO_CLUSTER = -1


class OpenSetScore(Protocol):
    """How novel a face is; higher is more novel, for every score."""

    def fit(self, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> Self:
        """Learn `(N, D)` embeddings of known faces and their `(N,)` labels."""
        ...

    def score(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return `(N,)` scores of `(N, D)` embeddings."""
        ...


@dataclass(frozen=True)
class CountEstimate:
    """How many new classes are in a pool, and which face is of which."""

    value: int
    low: int
    high: int
    """Smallest and largest count over resamples of the pool."""
    labels: NDArray[np.int64]
    """`(M,)` cluster of each face of the pool; `NO_CLUSTER` where it belongs to none."""
    stability: tuple[float, ...]
    """Of each cluster, the share of resamples in which it came back, in [0, 1]."""
    evidence: Mapping[str, Any]
    """Plain values that explain the estimate."""
