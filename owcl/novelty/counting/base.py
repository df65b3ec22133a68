"""What estimators share: the metric and the anchors of the registered classes, and how a pool is counted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from owcl.errors import BadInput
from owcl.novelty.base import NO_CLUSTER, CountEstimate
from owcl.novelty.counting.partitions import LARGEST_TREE, clusters_of, reduced, sample
from owcl.novelty.counting.resampling import (
    RESAMPLED,
    RESAMPLES,
    agreed,
    resample,
    spread,
    stability,
    typical,
)
from owcl.novelty.whitening import WithinClassWhitening

ANCHORS = 40
"""Exemplars of each registered class that take part in a clustering."""
FEWEST_SEEN = 10
"""Faces of a class among those that are clustered at a time, without which it is not seen."""


@dataclass(frozen=True)
class Registered:
    """Exemplars of the registered classes: `(N, D)` whitened vectors and their `(N,)` classes."""

    vectors: NDArray[np.floating]
    classes: NDArray[np.int64]

    def of_each(self) -> list[NDArray[np.floating]]:
        """Return the vectors of each class."""
        return [self.vectors[self.classes == class_id] for class_id in np.unique(self.classes)]

    def anchors(self) -> Registered:
        """Return a few exemplars of each class, evenly spread over their order."""
        rows = np.concatenate(
            [_spread(np.flatnonzero(self.classes == one)) for one in np.unique(self.classes)]
        )
        return Registered(self.vectors[rows], self.classes[rows])


class PartitionCount(ABC):
    """Counts the new classes of a pool as the parts of a partition, in the metric of the registered classes.

    Args:
        smallest: faces that make a class.
        false_share: share of the pool that false alarms may make, for estimators that ask.
    """

    def __init__(self, smallest: int = 30, false_share: float = 0.15) -> None:
        self.smallest = smallest
        self.false_share = false_share

    def fit(self, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> Self:
        """Learn the metric from `(N, D)` embeddings of registered classes and their `(N,)` labels.

        Raises:
            BadInput: if no class has two faces, or an entry is not finite.
        """
        self._metric = WithinClassWhitening().fit(embeddings, labels)
        registered = Registered(self._metric.transform(embeddings), labels)
        self._anchors = registered.anchors()
        self.learn(registered)
        return self

    def estimate(self, pool: NDArray[np.float32], rng: np.random.Generator) -> CountEstimate:
        """Count, cluster, and repeat on resamples for the interval, the stability and a second opinion.

        Near a limit of the scale, one face more or less is one cluster more or less; where the resamples
        agree on another count than that of the whole pool, theirs is taken.

        Args:
            pool: `(M, D)` embeddings.
            rng: draws the resamples, and what is clustered of a pool that is too large for a tree.

        Raises:
            BadInput: if an entry is not finite.
        """
        if len(pool) < self.smallest:
            nowhere = self.clustered(pool, rng)
            return CountEstimate(0, 0, 0, nowhere, (), self._evidence(len(pool), []))
        points = self._points(pool)
        labels = self.partition(points, self.smallest, rng)
        resampled = []
        for _ in range(RESAMPLES):
            rows = resample(labels, self.smallest, rng)
            smallest = max(2, round(RESAMPLED * self.smallest))
            resampled.append((rows, self.partition(points[rows], smallest, rng)))
        counts = [clusters_of(found) for _, found in resampled]
        if (wanted := agreed(clusters_of(labels), counts)) != clusters_of(labels):
            labels = typical(points, resampled, wanted, self.smallest)
        value = clusters_of(labels)
        return CountEstimate(
            value,
            min([value, *counts]),
            max([value, *counts]),
            labels,
            stability(labels, resampled),
            self._evidence(len(pool), counts),
        )

    def clustered(self, pool: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the `(M,)` cluster of each face of a pool, once and without resamples.

        Raises:
            BadInput: if an entry is not finite.
        """
        points = self._points(pool)
        if len(pool) < self.smallest:
            return np.full(len(pool), NO_CLUSTER, np.int64)
        return self.partition(points, self.smallest, rng)

    def _points(self, pool: NDArray[np.float32]) -> NDArray[np.float32]:
        if not np.isfinite(pool).all():
            raise BadInput(
                f"count: {(~np.isfinite(pool)).sum()} entries of the pool are not finite. Finite embeddings "
                "are expected. Embed the faces again."
            )
        return self._metric.transform(pool)

    def _evidence(self, pool: int, counts: list[int]) -> dict[str, object]:
        return {
            "pool": pool,
            "smallest": self.smallest,
            "unseen_below": unseen_below(pool, self.smallest),
            **spread(counts),
            **self.scale(),
        }

    def scale(self) -> dict[str, float]:
        """Return what the registered classes say of the scale, as plain values."""
        return {}

    def learn(self, registered: Registered) -> None:  # noqa: B027
        """Learn what the estimator takes from the whitened registered classes, if anything."""

    def look(
        self, points: NDArray[np.float32], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Return rows that fit a tree, and their faces and the anchors in their principal directions."""
        rows = sample(len(points), LARGEST_TREE, rng)
        space = reduced(np.concatenate([points[rows], self._anchors.vectors]))
        return rows, space[: len(rows)], space[len(rows) :]

    @abstractmethod
    def partition(
        self, points: NDArray[np.float32], smallest: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return the `(M,)` part of each whitened face, counted from 0; `NO_CLUSTER` for one in none."""


def unseen_below(pool: int, smallest: int) -> int | None:
    """Return below how many faces a class of a pool may go unseen, since a sample is clustered at a time.

    From there on, `FEWEST_SEEN` of its faces are expected among those that are looked at first.

    Args:
        pool: faces in it.
        smallest: faces that make a class.

    Returns:
        None where every class is seen.

    Example:
        >>> unseen_below(50_000, 30)
        167
        >>> unseen_below(9_000, 30) is None
        True
    """
    needed = -(-FEWEST_SEEN * pool // LARGEST_TREE)
    return needed if needed > smallest else None


def _spread(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    places = np.linspace(0, len(rows) - 1, min(ANCHORS, len(rows))).round().astype(int)
    chosen: NDArray[np.int64] = rows[places]
    return chosen
