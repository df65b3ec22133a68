"""Counting by density: clusters are what stays apart when the points between them thin out."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from owcl.errors import BadInput
from owcl.novelty.base import NO_CLUSTER, CountEstimate

DIMENSIONS = 16
"""Directions that are kept; densities mean little in hundreds of them."""
NEIGHBOURS = 5
RESAMPLES = 20
RESAMPLED = 0.8
SAME_CLUSTER = 0.6
"""Jaccard similarity above which a resample's cluster is the same."""
LARGEST_TREE = 3000
"""Above it, micro-clusters stand for the points: the tree of all pairs does not fit a large pool."""


class DensityCount:
    """The leaves of a density hierarchy, each with at least `smallest` faces.

    A pool in which nothing falls apart is one class if it is large enough, and none otherwise: what reaches
    this estimator has been told from the known classes before, so that one heap is one arrival.

    Args:
        smallest: faces that make a class.

    Source:
        Campello, Moulavi and Sander, Density-based clustering based on hierarchical density estimates,
        PAKDD 2013; leaf selection as in McInnes, Healy and Astels, JOSS 2017.
    """

    def __init__(self, smallest: int = 30) -> None:
        self.smallest = smallest

    def estimate(self, pool: NDArray[np.float32], rng: np.random.Generator) -> CountEstimate:
        """Count, cluster, and repeat on resamples for the interval and the stability.

        Raises:
            BadInput: if an entry is not finite.
        """
        if not np.isfinite(pool).all():
            raise BadInput(
                f"count: {(~np.isfinite(pool)).sum()} entries of the pool are not finite. Finite embeddings "
                "are expected. Embed the faces again."
            )
        if len(pool) < self.smallest:
            evidence = {"pool": len(pool), "smallest": self.smallest}
            return CountEstimate(0, 0, 0, np.full(len(pool), NO_CLUSTER), (), evidence)
        points = reduced(pool)
        return resampled_count(
            len(points), lambda rows, smallest: partition(points[rows], smallest), self.smallest, rng
        )


def resampled_count(
    size: int,
    divide: Callable[[NDArray[np.int64], int], NDArray[np.int64]],
    smallest: int,
    rng: np.random.Generator,
) -> CountEstimate:
    """Count, and count again on resamples for the interval and the stability.

    Args:
        size: faces in the pool.
        divide: returns the partition of the rows of the pool that it is given, into clusters of at least so
            many faces.
        smallest: faces that make a class.
        rng: draws the resamples.
    """
    labels = divide(np.arange(size), smallest)
    resampled = []
    for _ in range(RESAMPLES):
        rows = np.sort(rng.permutation(size)[: round(RESAMPLED * size)])
        resampled.append((rows, divide(rows, max(2, round(RESAMPLED * smallest)))))
    counts = [int(found.max()) + 1 for _, found in resampled]
    value = int(labels.max()) + 1
    return CountEstimate(
        value,
        min([value, *counts]),
        max([value, *counts]),
        labels,
        stability(labels, resampled),
        {"pool": size, "smallest": smallest, "counts_of_resamples": counts},
    )


def partition(points: NDArray[np.float64], smallest: int) -> NDArray[np.int64]:
    """Return the `(M,)` leaves of the density hierarchy of `(M, d)` points; one where nothing falls apart."""
    if len(points) > LARGEST_TREE:
        centres, nearest = _micro_clusters(points)
        share = LARGEST_TREE / 2 / len(points)
        return partition(centres, max(2, round(smallest * share)))[nearest]
    labels = _leaves(points, smallest)
    if labels.max() < 0:
        return np.zeros(len(points), np.int64)
    return _with_stragglers(points, labels)


def stability(
    labels: NDArray[np.int64], resampled: list[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> tuple[float, ...]:
    """Return for each cluster the share of resamples in which some cluster is the same faces.

    Args:
        labels: `(M,)` partition of the pool.
        resampled: the rows of each resample, and their partition.
    """
    came_back = np.zeros((len(resampled), int(labels.max(initial=NO_CLUSTER)) + 1))
    for number, (rows, partition) in enumerate(resampled):
        kept = labels[rows]
        for cluster in range(came_back.shape[1]):
            members = kept == cluster
            overlaps = [
                (members & (partition == other)).sum() / (members | (partition == other)).sum()
                for other in range(int(partition.max(initial=NO_CLUSTER)) + 1)
            ]
            came_back[number, cluster] = max(overlaps, default=0.0) >= SAME_CLUSTER
    return tuple(came_back.mean(axis=0).tolist())


def reduced(pool: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the `(M, d)` principal directions of `(M, D)` embeddings in which they are clustered."""
    dimensions = min(DIMENSIONS, pool.shape[1], len(pool) - 1)
    points: NDArray[np.float64] = PCA(dimensions, svd_solver="full").fit_transform(pool.astype(np.float64))
    return points


def _leaves(points: NDArray[np.float64], smallest: int) -> NDArray[np.int64]:
    with warnings.catch_warnings():
        # hdbscan calls scikit-learn by a name that is about to change, and warns of it on import.
        warnings.simplefilter("ignore")
        from hdbscan import HDBSCAN

        model = HDBSCAN(
            min_cluster_size=smallest,
            min_samples=NEIGHBOURS,
            cluster_selection_method="leaf",
            core_dist_n_jobs=1,
        )
        labels: NDArray[np.int64] = model.fit_predict(points).astype(np.int64)
    return labels


def _with_stragglers(points: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Let points between the dense cores join the nearest core, unless they are far outside of it."""
    count = int(labels.max()) + 1
    centres = np.stack([points[labels == cluster].mean(axis=0) for cluster in range(count)])
    distances = np.linalg.norm(points[:, None] - centres[None], axis=2)
    nearest = distances.argmin(axis=1)
    # A core is the dense middle of its class, so that its own radius is too small a measure.
    radii = np.array(
        [2 * np.quantile(distances[labels == cluster, cluster], 0.975) for cluster in range(count)]
    )
    inside = distances[np.arange(len(points)), nearest] <= radii[nearest]
    return np.where(labels >= 0, labels, np.where(inside, nearest, NO_CLUSTER))


def _micro_clusters(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    import faiss

    kmeans = faiss.Kmeans(points.shape[1], LARGEST_TREE // 2, niter=10, seed=0, verbose=False)
    kmeans.train(points.astype(np.float32))
    _, nearest = kmeans.index.search(points.astype(np.float32), 1)
    assert kmeans.centroids is not None
    return kmeans.centroids.astype(np.float64), nearest[:, 0].astype(np.int64)
