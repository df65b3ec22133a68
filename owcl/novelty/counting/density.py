"""Counting by density: clusters are what stays apart when the points between them thin out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from owcl.novelty.base import NO_CLUSTER
from owcl.novelty.counting.base import FEWEST_SEEN, PartitionCount
from owcl.novelty.counting.partitions import LARGEST_TREE, among, clusters_of, numbered, reduced, sample

NEIGHBOURS = 5
KNOWN_SHARE = 0.1
"""Share of anchors from which on a cluster looks like a registered class."""


@dataclass(frozen=True)
class Heap:
    """A cluster of the pool."""

    rows: NDArray[np.int64]
    looks_known: bool
    """Whether anchors of registered classes lie in it."""


class DensityCount(PartitionCount):
    """Density clusters of the pool and the anchors, taken away from the densest on until nothing is found.

    Anchors absorb the false alarms: these are faces of registered classes and lie where those do. As many
    faces as false alarms can be are given up so; a cluster that is larger is new wherever it lies, since the
    pool was chosen by something that sees more than this embedding.

    What has been found is taken away before the next look, so that a small class beside large ones is seen as
    soon as these are gone, and a pool of any size is looked at in pieces of one size.

    Source:
        Campello, Moulavi and Sander, Density-based clustering based on hierarchical density estimates,
        PAKDD 2013 (HDBSCAN); anchors, and looking again at what is left, are ours.
    """

    def partition(
        self, points: NDArray[np.float32], smallest: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return the `(M,)` cluster of each whitened face."""
        labels = np.full(len(points), NO_CLUSTER, np.int64)
        for number, heap in enumerate(self.heaps(points, rng)):
            labels[heap.rows] = number
        return numbered(labels, smallest)

    def heaps(self, points: NDArray[np.float32], rng: np.random.Generator) -> list[Heap]:
        """Return the clusters of the pool, without those that false alarms explain."""
        found: list[Heap] = []
        left = np.arange(len(points))
        while len(left) >= FEWEST_SEEN:
            heaps = self._look(points, left, rng)
            if not heaps:
                break
            found += heaps
            left = np.setdiff1d(left, np.concatenate([heap.rows for heap in heaps]), assume_unique=True)
        return unexplained(found, self.false_share * len(points))

    def _look(
        self, points: NDArray[np.float32], left: NDArray[np.int64], rng: np.random.Generator
    ) -> list[Heap]:
        rows = left[sample(len(left), LARGEST_TREE, rng)]
        everything = clusters(reduced(np.concatenate([points[rows], self._anchors.vectors])))
        labels = everything[: len(rows)]
        count = clusters_of(everything)
        sizes = np.bincount(labels + 1, minlength=count + 1)[1:]
        anchored = np.bincount(everything[len(rows) :] + 1, minlength=count + 1)[1:]
        looks_known = (anchored >= KNOWN_SHARE * (sizes + anchored))[sizes >= FEWEST_SEEN]
        cores = numbered(labels, FEWEST_SEEN)
        members = among(points, left, rows, cores)
        return [Heap(left[members == number], bool(known)) for number, known in enumerate(looks_known)]


def unexplained(heaps: list[Heap], false_alarms: float) -> list[Heap]:
    """Return the heaps without those, from the smallest on, that so many false alarms may be."""
    kept = [heap for heap in heaps if not heap.looks_known]
    for heap in sorted((heap for heap in heaps if heap.looks_known), key=lambda heap: len(heap.rows)):
        if len(heap.rows) <= false_alarms:
            false_alarms -= len(heap.rows)
        else:
            kept.append(heap)
    return kept


def clusters(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the `(M,)` density cluster of `(M, d)` points; `NO_CLUSTER` where it is thin."""
    with warnings.catch_warnings():
        # hdbscan calls scikit-learn by a name that is about to change, and warns of it on import.
        warnings.simplefilter("ignore")
        from hdbscan import HDBSCAN

        model = HDBSCAN(min_cluster_size=FEWEST_SEEN, min_samples=NEIGHBOURS, core_dist_n_jobs=1)
        labels: NDArray[np.int64] = model.fit_predict(points).astype(np.int64)
    return labels
