"""Counting by density, on the scale that the registered classes set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from owcl.novelty.base import NO_CLUSTER
from owcl.novelty.counting.base import Registered
from owcl.novelty.counting.density import DensityCount, Heap
from owcl.novelty.counting.partitions import nearest_centres, numbered, radius, reduced, sample, thinned
from owcl.novelty.counting.tightness import Tightness

SMALLEST_EXEMPLARS = 20
"""Faces of a registered class that say how far its halves are apart."""
LARGEST_SIDE = 300
"""Faces of a cluster by which its separation from another is measured."""
SMALLEST_HALF = 0.1
"""Share of a registered class that its smaller half has at least."""
HALVES_OF_NOISE = 3.5
"""Separation of the halves of one round cluster; stands in where no registered class can be halved."""
USUAL = 0.75
"""Quantile of the registered classes that says how far halves are apart: one class of two modes must not."""
NEAREST = 3
"""Clusters around each that it may be one method with."""
METHODS_APART = 7.35
"""Whitened separation from which on two clusters are two methods, however close they are otherwise."""
TOWARDS_BETWEEN = 0.4
"""Where the scale lies between the limits that the registered classes set, in the logarithm."""


class ScaledDensityCount(DensityCount):
    """Density clusters, split and fused and sifted by what the registered classes say of one method.

    Density alone takes the modes of one generator for several, two that touch for one, and what is left of
    all for one more. Registered classes are known to be one method each. How far apart the halves of one of
    them are, and how far apart two of them, are limits between which the separation of two methods lies; and
    the widest of them, with all in one heap as the other limit, says how loose a class may be.

    Whitening also brings out the modes of a generator, of one that redraws the mouth here and the eyes
    there; they are told from two methods by being close in the embedding as it is.
    """

    def learn(self, registered: Registered) -> None:
        """Take the scale from the registered classes."""
        super().learn(registered)
        rng = np.random.default_rng(0)
        large = [vectors for vectors in registered.of_each() if len(vectors) >= SMALLEST_EXEMPLARS]
        exemplars = large or [registered.vectors]
        self.within, self.between, self.apart = _limits(exemplars, rng)
        as_is = [self._metric.inverse(vectors) for vectors in exemplars]
        self.within_as_is, self.between_as_is, self.apart_as_is = _limits(as_is, rng)
        self.widest = Tightness(exemplars).widest

    def scale(self) -> dict[str, float]:
        """Return the limits, and what lies between them."""
        names = ("within", "between", "apart", "within_as_is", "between_as_is", "apart_as_is", "widest")
        return {name: round(float(getattr(self, name)), 3) for name in names}

    def partition(
        self, points: NDArray[np.float32], smallest: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return the `(M,)` cluster of each whitened face."""
        parts = [
            part
            for heap in self.heaps(points, rng)
            for part in self._divided(points, heap, smallest, rng)
            if radius(points[thinned(part.rows)]) <= self.widest
        ]
        labels = np.full(len(points), NO_CLUSTER, np.int64)
        for number, part in enumerate(parts):
            labels[part.rows] = number
        members = [points[part.rows[sample(len(part.rows), LARGEST_SIDE, rng)]] for part in parts]
        groups = np.arange(len(parts))
        too_small = [len(part.rows) < smallest for part in parts]
        for one, other in neighbours(members):
            strays = too_small[one] != too_small[other]
            if groups[one] != groups[other] and self.are_one(members[one], members[other], strays=strays):
                groups[groups == groups[other]] = groups[one]
        return numbered(np.append(groups, NO_CLUSTER)[labels], smallest)

    def are_two(self, first: NDArray[np.float32], second: NDArray[np.float32]) -> bool:
        """Say whether `(N, D)` and `(M, D)` whitened faces are two methods, and not two modes of one.

        Modes are close in both metrics: in the whitened one closer than two methods were ever seen, and in
        the embedding as it is closer than what lies between the limits there.
        """
        as_is = pair(self._metric.inverse(first), self._metric.inverse(second))
        return separation(*pair(first, second)) >= METHODS_APART or separation(*as_is) >= self.apart_as_is

    def are_one(self, first: NDArray[np.float32], second: NDArray[np.float32], *, strays: bool) -> bool:
        """Say whether `(N, D)` and `(M, D)` whitened faces are one method.

        Args:
            first: one part of the pool.
            second: the other.
            strays: whether one of them is too small to be a class, and the other is not. Faces that nothing
                holds together vary so much that they are hardly ever far from anything; these must be near.
        """
        near = not strays or separation(*pair(first, second)) <= self.apart
        return near and not self.are_two(first, second)

    def _divided(
        self, points: NDArray[np.float32], heap: Heap, smallest: int, rng: np.random.Generator
    ) -> Iterator[Heap]:
        """Halve a heap, and its halves, for as long as these are two methods and large enough."""
        if len(heap.rows) >= 2 * smallest:
            rows = heap.rows[sample(len(heap.rows), 2 * LARGEST_SIDE, rng)]
            sides, apart = halves(points[rows], rng)
            one, other = points[rows[sides == 0]], points[rows[sides == 1]]
            if apart >= self.apart and self.are_two(one, other):
                centres = np.stack([one.mean(axis=0), other.mean(axis=0)])
                nearest, _ = nearest_centres(points, heap.rows, centres)
                parts = [heap.rows[nearest == side] for side in (0, 1)]
                if min(map(len, parts)) >= smallest:
                    for part in parts:
                        yield from self._divided(points, Heap(part, heap.looks_known), smallest, rng)
                    return
        yield heap


def neighbours(parts: Sequence[NDArray[np.floating]]) -> list[tuple[int, int]]:
    """Return the pairs of parts of which one is among the nearest of the other."""
    if len(parts) < 2:
        return []
    centres = np.stack([part.mean(axis=0) for part in parts])
    order = cdist(centres, centres).argsort(axis=1)[:, 1 : NEAREST + 1]
    pairs = {(min(one, other), max(one, other)) for one, row in enumerate(order.tolist()) for other in row}
    return sorted(pairs)


def separation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return how far apart two sets of faces are, in standard deviations along the line of their centres.

    Args:
        first: `(N, D)` vectors.
        second: `(M, D)` vectors.

    Source:
        The sensitivity index d' of signal detection: distance of means over the root of the mean variance.
    """
    line = first.mean(axis=0, dtype=np.float64) - second.mean(axis=0, dtype=np.float64)
    distance = float(np.linalg.norm(line))
    if not distance:
        return 0.0
    spread = np.sqrt((np.var(first @ (line / distance)) + np.var(second @ (line / distance))) / 2)
    return distance / max(float(spread), 1e-12)


def pair(
    first: NDArray[np.floating], second: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two sets in the principal directions of both.

    In all directions the noise of few faces would count as distance.
    """
    space = reduced(np.concatenate([first, second]))
    return space[: len(first)], space[len(first) :]


def _limits(
    exemplars: Sequence[NDArray[np.floating]], rng: np.random.Generator
) -> tuple[float, float, float]:
    """Return how far apart halves of a class are, how far apart two classes, and what lies between."""
    insides = [inside for vectors in exemplars if (inside := _inside(vectors, rng))]
    within = float(np.quantile(insides, USUAL)) if insides else HALVES_OF_NOISE
    pairs = [separation(*pair(one, other)) for one, other in combinations(exemplars, 2)]
    # Two that this embedding cannot tell apart do not say how far apart two are that it can.
    between = min((apart for apart in pairs if apart > within), default=2 * within)
    return within, between, within * (between / within) ** TOWARDS_BETWEEN


def _inside(vectors: NDArray[np.floating], rng: np.random.Generator) -> float:
    """Return the separation of the halves of one class; 0 where one half is a few strange faces."""
    sides, apart = halves(vectors, rng)
    return apart if SMALLEST_HALF <= sides.mean() <= 1 - SMALLEST_HALF else 0.0


def halves(points: NDArray[np.floating], rng: np.random.Generator) -> tuple[NDArray[np.int64], float]:
    """Return which half each of `(M, D)` points is in, by 2-means, and the separation of the halves.

    Points that are all the same have one half, the first.
    """
    from sklearn.cluster import KMeans

    space = reduced(points)
    if not space.any():
        return np.zeros(len(points), np.int64), 0.0
    seed = int(rng.integers(2**31))
    sides = KMeans(2, n_init=4, random_state=seed).fit_predict(space).astype(np.int64)
    return sides, separation(space[sides == 0], space[sides == 1])
