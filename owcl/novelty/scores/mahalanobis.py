"""Novelty as the distance to the nearest known class, in units of how much classes vary."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from owcl.novelty.scores.linear import refuse_nan


class MahalanobisScore:
    """Squared distance to the nearest class mean under the covariance that all classes share, shrunk.

    Args:
        relative: whether to take off the distance to all known faces as one Gaussian, which cancels
            directions in which any face may lie far out.

    Source:
        Lee, Lee, Lee and Shin, NeurIPS 2018 (arXiv 1807.03888); relative: Ren et al., A simple fix to
        Mahalanobis distance for improving near-OOD detection, 2021 (arXiv 2106.09022).
    """

    def __init__(self, relative: bool = False) -> None:
        self.relative = relative

    def fit(self, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> Self:
        """Learn `(N, D)` embeddings of known faces and their `(N,)` labels.

        Raises:
            BadInput: if an entry is not finite.
        """
        refuse_nan(embeddings)
        points = embeddings.astype(np.float64)
        _, classes = np.unique(labels, return_inverse=True)
        self._means = np.stack(
            [points[classes == number].mean(axis=0) for number in range(classes.max() + 1)]
        )
        self._precision = _precision(points - self._means[classes])
        self._mean = points.mean(axis=0)
        self._global_precision = _precision(points - self._mean)
        return self

    def score(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return `(N,)` scores of `(N, D)` embeddings; at least 0 unless they are relative."""
        refuse_nan(embeddings)
        points = embeddings.astype(np.float64)
        score: NDArray[np.float64] = squared_distances(points, self._means, self._precision).min(axis=1)
        if self.relative:
            score -= squared_distances(points, self._mean[None], self._global_precision)[:, 0]
        return score


def relative_mahalanobis() -> MahalanobisScore:
    """Return the relative score, not fitted yet."""
    return MahalanobisScore(relative=True)


def squared_distances(
    points: NDArray[np.float64], means: NDArray[np.float64], precision: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return `(N, C)` squared Mahalanobis distances of `(N, D)` points to `(C, D)` means."""
    factor = np.linalg.cholesky(precision)
    ours, theirs = points @ factor, means @ factor
    squared = (ours**2).sum(axis=1)[:, None] - 2 * ours @ theirs.T + (theirs**2).sum(axis=1)
    distances: NDArray[np.float64] = np.maximum(squared, 0.0)
    return distances


def _precision(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    covariance, _ = ledoit_wolf(centred, assume_centered=True)
    # Directions in which known faces do not vary at all would count without end.
    ridge = 1e-6 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    precision: NDArray[np.float64] = np.linalg.inv(covariance + ridge)
    return precision
