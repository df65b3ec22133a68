"""What estimators share: the metric and the anchors of the registered classes, resamples, stability."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from owcl.errors import BadInput
from owcl.novelty.base import NO_CLUSTER, CountEstimate
from owcl.novelty.indexes import on_gpu
from owcl.novelty.whitening import WithinClassWhitening

DIMENSIONS = 16
"""Directions that are kept; densities mean little in hundreds of them."""
ANCHORS = 40
"""Exemplars of each registered class that take part in a clustering."""
LARGEST_TREE = 3000
"""Faces that are clustered at a time: neither the time nor the memory of a tree grows with the pool."""
FEWEST_SEEN = 10
"""Faces of a class among those that are clustered at a time, without which it is not seen."""
RESAMPLES = 20
RESAMPLED = 0.8
LARGEST_RESAMPLE = 1000
BATCH = 100_000
"""Faces whose nearest centre is looked up at a time."""
AGREEING = 2 / 3
"""Share of the resamples that overrules the count of the whole pool."""
SAME_CLUSTER = 0.6
"""Jaccard similarity above which a resample's cluster is the same."""


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
            rows = resample(labels, rng)
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


def clusters_of(labels: NDArray[np.int64]) -> int:
    """Return how many clusters there are."""
    return int(labels.max(initial=NO_CLUSTER)) + 1


def numbered(labels: NDArray[np.int64], smallest: int) -> NDArray[np.int64]:
    """Return labels in which clusters below a size are none, and the others are numbered from 0."""
    kept = [
        cluster
        for cluster, size in zip(*np.unique(labels, return_counts=True), strict=True)
        if cluster != NO_CLUSTER and size >= smallest
    ]
    places = np.searchsorted(np.array(kept, np.int64), labels)
    return np.where(np.isin(labels, kept), places, NO_CLUSTER).astype(np.int64)


def reduced(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return `(M, D)` vectors in the `(M, d)` principal directions in which they are clustered."""
    dimensions = min(DIMENSIONS, points.shape[1], len(points) - 1)
    if (points == points[:1]).all():  # Copies of one picture have no direction.
        return np.zeros((len(points), dimensions))
    # Sixteen of hundreds of directions are had in a fraction of the time of all of them.
    solver = "full" if min(points.shape) <= 2 * DIMENSIONS else "arpack"
    model = PCA(dimensions, svd_solver=solver, random_state=0)
    found: NDArray[np.float64] = model.fit_transform(points.astype(np.float64))
    return found


def thinned(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a few thousand rows, evenly spread, of which a median is as good as of all."""
    return rows[:: 1 + len(rows) // LARGEST_TREE]


def radius(points: NDArray[np.floating]) -> float:
    """Return the median distance of `(M, D)` points to their centre."""
    return float(np.median(np.linalg.norm(points - points.mean(axis=0), axis=1)))


def sample(size: int, limit: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return at most so many rows, in order."""
    return np.arange(size) if size <= limit else np.sort(rng.permutation(size)[:limit])


def extended(
    points: NDArray[np.float32], rows: NDArray[np.int64], labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Extend a partition of some rows to all points: each joins the nearest centre within whose reach it is.

    Args:
        points: `(M, D)`.
        rows: that were partitioned.
        labels: their parts.
    """
    return among(points, np.arange(len(points)), rows, labels)


def among(
    points: NDArray[np.float32],
    candidates: NDArray[np.int64],
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Extend a partition of some rows to candidates, as `extended` does to all points.

    Args:
        points: `(M, D)`.
        candidates: rows in ascending order, those that were partitioned among them.
        rows: that were partitioned.
        labels: their parts.

    Returns:
        `(len(candidates),)` parts.
    """
    found = np.full(len(candidates), NO_CLUSTER, np.int64)
    count = clusters_of(labels)
    if count:
        parts = [points[rows[labels == part]] for part in range(count)]
        centres = np.stack([part.mean(axis=0) for part in parts])
        reach = np.array([reach_of(part) for part in parts])
        nearest, distances = nearest_centres(points, candidates, centres)
        found = np.where(distances <= reach[nearest], nearest, NO_CLUSTER)
    clustered = labels != NO_CLUSTER
    found[np.searchsorted(candidates, rows[clustered])] = labels[clustered]
    return found


def reach_of(points: NDArray[np.floating]) -> float:
    """Return how far from the centre of a dense core its class reaches: just beyond 97.5 % of the core."""
    return 1.1 * float(np.quantile(np.linalg.norm(points - points.mean(axis=0), axis=1), 0.975))


def nearest_centres(
    points: NDArray[np.float32], rows: NDArray[np.int64], centres: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the nearest of `(C, D)` centres to each of some rows, and the distances, by `faiss`."""
    import faiss

    index = on_gpu(faiss.IndexFlatL2(centres.shape[1]))
    index.add(np.ascontiguousarray(centres, np.float32))
    nearest = np.empty(len(rows), np.int64)
    distances = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), BATCH):
        batch = slice(start, start + BATCH)
        squares, found = index.search(np.ascontiguousarray(points[rows[batch]], np.float32), 1)
        nearest[batch], distances[batch] = found[:, 0], np.sqrt(np.maximum(squares[:, 0], 0))
    return nearest, distances


def resample(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw rows of a pool, with an upper limit for each cluster where the pool is large."""
    cap = max(1, LARGEST_RESAMPLE // (clusters_of(labels) + 1))
    if len(labels) <= LARGEST_RESAMPLE:
        cap = len(labels)
    drawn = []
    for cluster in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == cluster))[:cap]
        drawn.append(rows[: round(RESAMPLED * len(rows))])
    return np.sort(np.concatenate(drawn))


def stability(
    labels: NDArray[np.int64], resampled: list[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> tuple[float, ...]:
    """Return for each cluster the share of resamples in which some cluster is the same faces.

    Args:
        labels: `(M,)` partition of the pool.
        resampled: the rows of each resample, and their partition.
    """
    came_back = np.zeros((len(resampled), clusters_of(labels)))
    for number, (rows, partition) in enumerate(resampled):
        came_back[number] = overlaps(labels[rows], partition, came_back.shape[1]) >= SAME_CLUSTER
    return tuple(came_back.mean(axis=0).tolist())


def spread(counts: Sequence[int]) -> dict[str, object]:
    """Return how far the counts of resamples agree: all of them, the commonest one's share, 10 to 90 %."""
    if not counts:
        return {"counts_of_resamples": []}
    commonest = np.bincount(counts).max() / len(counts)
    low, high = np.quantile(counts, [0.1, 0.9])
    return {
        "counts_of_resamples": list(counts),
        "median": float(np.median(counts)),
        "share_of_the_commonest": round(float(commonest), 4),
        "from_10_to_90_percent": [round(float(low), 4), round(float(high), 4)],
    }


def agreed(value: int, counts: Sequence[int]) -> int:
    """Return the count of the whole pool, or the one that `AGREEING` resamples have instead.

    Nothing stays nothing: of a heap that is too loose to be a class, parts may be tight by chance.
    """
    times = np.bincount(counts)
    return int(times.argmax()) if value and times.max() >= AGREEING * len(counts) else value


def typical(
    points: NDArray[np.float32],
    resampled: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
    value: int,
    smallest: int,
) -> NDArray[np.int64]:
    """Return the partition with so many parts that the resamples bear out best, extended to the whole pool.

    Args:
        points: `(M, D)`.
        resampled: the rows of each resample, and their partition.
        value: parts that it has; at least one resample has as many.
        smallest: faces that make a part.
    """
    found = [
        numbered(extended(points, rows, labels), smallest)
        for rows, labels in resampled
        if clusters_of(labels) == value
    ]
    return max(found, key=lambda labels: sum(stability(labels, resampled)))


def overlaps(one: NDArray[np.int64], other: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Return the best Jaccard similarity of each of `count` clusters of one partition in the other."""
    table = np.zeros((count + 1, clusters_of(other) + 1))
    np.add.at(table, (one, other), 1)  # What is in no cluster is counted in the last row and column.
    sizes, others = table.sum(axis=1)[:-1, None], table.sum(axis=0)[None, :-1]
    shared = table[:-1, :-1]
    found: NDArray[np.float64] = (shared / np.maximum(sizes + others - shared, 1)).max(axis=1, initial=0.0)
    return found


def _spread(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    places = np.linspace(0, len(rows) - 1, min(ANCHORS, len(rows))).round().astype(int)
    chosen: NDArray[np.int64] = rows[places]
    return chosen
