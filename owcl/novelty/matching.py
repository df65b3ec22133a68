"""Are two sets of faces made by one method? Evidence, never the order of clusters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from owcl.errors import BadInput

SMALLEST_SIDE = 20
DIMENSIONS = 16
FOLDS = 5
SAME_BELOW = 0.65
"""Upper bound of the probe's AUC under which two sets are one method."""
DIFFERENT_ABOVE = 0.90
"""Lower bound of the probe's AUC over which they are two."""


@dataclass(frozen=True)
class Verdict:
    """Whether two sets are one method, and how well a probe tells them apart."""

    answer: Literal["same", "different", "undecided"]
    auc: float
    low: float
    high: float
    """95 % interval of the AUC (Hanley and McNeil, Radiology 1982)."""


def judge_same(first: NDArray[np.float32], second: NDArray[np.float32], rng: np.random.Generator) -> Verdict:
    """Judge by a cross-validated linear classifier between `(N, D)` and `(M, D)` embeddings of one model.

    Raises:
        BadInput: if a side has fewer than 20 faces.
    """
    _refuse_small(first, second)
    scores = np.concatenate(probe_scores(first, second, rng))
    auc = float(roc_auc_score(np.repeat([0, 1], [len(first), len(second)]), scores))
    margin = 1.96 * _auc_deviation(auc, len(second), len(first))
    low, high = max(0.0, auc - margin), min(1.0, auc + margin)
    if high <= SAME_BELOW:
        return Verdict("same", auc, low, high)
    return Verdict("different" if low >= DIFFERENT_ABOVE else "undecided", auc, low, high)


def probe_scores(
    first: NDArray[np.float32], second: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how much each of `(N, D)` and of `(M, D)` embeddings looks like the second, `(N,)` and `(M,)`.

    A linear classifier says so that did not see the face; each side has at least 5.
    """
    points = _reduced(np.concatenate([first, second]))
    sides = np.repeat([0, 1], [len(first), len(second)])
    scores = np.empty(len(points))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
    for train, test in folds.split(points, sides):
        probe = LogisticRegression(class_weight="balanced", max_iter=1000).fit(points[train], sides[train])
        scores[test] = probe.decision_function(points[test])
    return scores[: len(first)], scores[len(first) :]


def energy_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return `2 mean|x - y| - mean|x - x'| - mean|y - y'|` of `(N, D)` and `(M, D)` points.

    Source:
        Székely and Rizzo, Testing for equal distributions in high dimension, InterStat 2004.
    """
    between = cdist(first, second).mean()
    return float(2 * between - cdist(first, first).mean() - cdist(second, second).mean())


def overlap(assignments: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return forward and backward shares of a `(classes, clusters)` table of anchors.

    Forward is the share of a class's anchors that lie in a cluster (over all its anchors, those in no
    cluster included if the table's last column counts them); backward the share of a cluster's anchors
    that are of a class.
    """
    totals = assignments.sum(axis=1, keepdims=True)
    per_cluster = assignments.sum(axis=0, keepdims=True)
    forward = assignments / np.maximum(totals, 1)
    backward = assignments / np.maximum(per_cluster, 1)
    return forward, backward


def _auc_deviation(auc: float, positives: int, negatives: int) -> float:
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (one - auc**2) + (negatives - 1) * (two - auc**2)
    return math.sqrt(max(variance, 0.0) / (positives * negatives))


def _reduced(points: NDArray[np.float32]) -> NDArray[np.float64]:
    dimensions = min(DIMENSIONS, points.shape[1], len(points) - 1)
    reduced: NDArray[np.float64] = PCA(dimensions, whiten=True, svd_solver="full").fit_transform(
        points.astype(np.float64)
    )
    return reduced


def _refuse_small(first: NDArray[np.float32], second: NDArray[np.float32]) -> None:
    if min(len(first), len(second)) < SMALLEST_SIDE:
        raise BadInput(
            f"matching: {len(first)} and {len(second)} faces. At least {SMALLEST_SIDE} on each side are "
            "expected. Wait for more faces."
        )
