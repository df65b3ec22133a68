"""Semi-supervised k-means: labelled faces stay in their class, the others find or found one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from owcl.errors import BadInput

STARTS = 10
ITERATIONS = 100
TOLERANCE = 1e-4
"""Iteration ends once no centre moves farther."""


@dataclass(frozen=True)
class Partition:
    """Clusters of `(N,)` faces; ids below the number of known classes are those classes."""

    assignments: NDArray[np.int64]
    """`(N,)` in `[0, C)`."""
    centres: NDArray[np.float32]
    """`(C, D)` means of the members."""
    inertia: float
    """Sum of the squared distances of the faces to their centres."""


def semi_supervised_kmeans(
    features: NDArray[np.float32], labels: NDArray[np.int64], num_clusters: int, rng: np.random.Generator
) -> Partition:
    """Partition faces into known classes and `num_clusters - K` novel ones; the best of ten starts.

    Known centres start at the class means and novel ones by k-means++ among the unlabelled faces; a
    labelled face is always in its own class; every centre is the mean of its members, labelled or not.

    Args:
        features: `(N, D)` of unit length.
        labels: `(N,)`; 0 to K-1, each at least once, where labelled, and -1 elsewhere. K may be 0.
        num_clusters: C, at least K; no more novel ones than there are unlabelled faces.
        rng: draws the novel starts.

    Raises:
        BadInput: if a feature is not finite, a label is skipped, or `num_clusters` cannot be had.

    Source:
        Vaze, Han, Vedaldi and Zisserman, Generalized Category Discovery, CVPR 2022 (arXiv 2201.02609).
    """
    _check(features, labels, num_clusters)
    labelled = labels >= 0
    num_known = int(labels.max(initial=-1)) + 1
    known = _means(features[labelled], labels[labelled], np.empty((num_known, features.shape[1]), np.float32))
    # Without novel classes nothing is drawn, and one start is as good as ten.
    starts = STARTS if num_clusters > num_known else 1
    runs = (
        _run(features, labels, _plus_plus(known, features[~labelled], num_clusters, rng))
        for _ in range(starts)
    )
    return min(runs, key=lambda run: run.inertia)


def match_clusters(
    assignments: NDArray[np.int64], predictions: NDArray[np.int64], num_known: int, num_clusters: int
) -> NDArray[np.int64]:
    """Name novel clusters after the head's novel outputs that their faces already get most.

    Args:
        assignments: `(N,)` clusters in `[0, num_clusters)`.
        predictions: `(N,)` outputs of the head in `[0, num_clusters)`.
        num_known: ids below stay as they are.
        num_clusters: C, also the number of the head's outputs.

    Returns:
        `(C,)` output of each cluster, a permutation: `mapping[assignments]` renames the faces, and
        `centres[np.argsort(mapping)]` puts the centres in the head's order.
    """
    together = np.zeros((num_clusters, num_clusters))
    np.add.at(together, (assignments, predictions), 1)
    mapping = np.arange(num_clusters)
    clusters, outputs = linear_sum_assignment(together[num_known:, num_known:], maximize=True)
    mapping[num_known + clusters] = num_known + outputs
    return mapping


def head_start(centres: NDArray[np.float32], rows: NDArray[np.float32], num_new: int) -> NDArray[np.float32]:
    """Choose the rows of a head for new classes: the centres least like any row there is.

    Args:
        centres: `(M, D)` of k-means with as many centres as old and new classes together.
        rows: `(C, D)` of the present head.
        num_new: at most M.

    Returns:
        `(num_new, D)`, the least alike first, scaled to the mean length of the present rows.

    Raises:
        BadInput: if there are fewer centres than new classes.

    Source:
        Happy: A Debiased Learning Framework for Continual Generalized Category Discovery, NeurIPS 2024
        (arXiv 2410.06535).
    """
    if len(centres) < num_new:
        raise BadInput(
            f"head start: {num_new} new classes but {len(centres)} centres. At least one centre for each is "
            "expected. Cluster into old and new classes together."
        )
    directions = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    likeness = (directions @ (rows / lengths).T).max(axis=1)
    chosen = np.argsort(likeness, kind="stable")[:num_new]
    started: NDArray[np.float32] = (directions[chosen] * lengths.mean()).astype(np.float32)
    return started


def _check(features: NDArray[np.float32], labels: NDArray[np.int64], num_clusters: int) -> None:
    if not np.isfinite(features).all():
        raise BadInput(
            f"k-means: {(~np.isfinite(features)).any(axis=1).sum()} of {len(features)} faces have features "
            "that are not finite. Finite ones are expected. Leave these faces out or embed them again."
        )
    present = np.unique(labels[labels >= 0])
    if not np.array_equal(present, np.arange(len(present))):
        raise BadInput(
            f"k-means: the labels are {present.tolist()}. 0 to K-1 without a gap are expected. "
            "Number the known classes anew."
        )
    num_novel, num_unlabelled = num_clusters - len(present), int((labels < 0).sum())
    if not 0 <= num_novel <= num_unlabelled or num_clusters < 1:
        raise BadInput(
            f"k-means: {num_clusters} clusters for {len(present)} known classes and {num_unlabelled} "
            "unlabelled faces. At least one, no fewer than the known classes, and no more novel ones than "
            "unlabelled faces are expected. Change the number of clusters."
        )


def _plus_plus(
    known: NDArray[np.float32], candidates: NDArray[np.float32], num_clusters: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Add centres to the known ones, each a candidate drawn by its squared distance to the nearest."""
    distances = _squared_distances(candidates, known).min(axis=1, initial=np.inf)
    centres = [known]
    for _ in range(num_clusters - len(known)):
        total = distances.sum()
        # Before the first centre, and once all candidates sit on centres, any of them is as good.
        drawn = rng.choice(len(candidates), p=distances / total if 0 < total < np.inf else None)
        centres.append(candidates[drawn : drawn + 1])
        distances = np.minimum(distances, _squared_distances(candidates, centres[-1])[:, 0])
    return np.concatenate(centres)


def _run(features: NDArray[np.float32], labels: NDArray[np.int64], centres: NDArray[np.float32]) -> Partition:
    for _ in range(ITERATIONS):
        assignments, _distances = _assign(features, labels, centres)
        moved = _means(features, assignments, centres)
        shift = np.linalg.norm(moved - centres, axis=1).max()
        centres = moved
        if shift < TOLERANCE:
            break
    assignments, distances = _assign(features, labels, centres)
    return Partition(assignments, centres, float(distances.sum()))


def _assign(
    features: NDArray[np.float32], labels: NDArray[np.int64], centres: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    distances = _squared_distances(features, centres)
    assignments = np.where(labels >= 0, labels, distances.argmin(axis=1))
    return assignments, np.take_along_axis(distances, assignments[:, None], axis=1)[:, 0]


def _means(
    features: NDArray[np.float32], assignments: NDArray[np.int64], previous: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Means of the clusters; an empty one keeps its previous centre."""
    members = (assignments[None, :] == np.arange(len(previous))[:, None]).astype(np.float32)
    counts = members.sum(axis=1, keepdims=True)
    means: NDArray[np.float32] = np.where(counts > 0, members @ features / np.maximum(counts, 1), previous)
    return means


def _squared_distances(features: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.float64]:
    lengths = np.square(features).sum(axis=1)[:, None] + np.square(centres).sum(axis=1)
    squared: NDArray[np.float64] = np.maximum(lengths - 2 * features @ centres.T, 0).astype(np.float64)
    return squared
