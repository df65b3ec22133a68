"""Novelty as how unlikely a face is under the nearest known class, of which each has several modes."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture

from owcl.novelty.scores.linear import refuse_nan

COMPONENTS = 5
"""Gaussians of each class, or one a face where it has fewer."""
SMALLEST_VARIANCE = 1e-3
"""Of a direction, as a share of the mean over all; a mode of few faces would collapse without it."""


class MixtureScore:
    """Negative log-likelihood under the likeliest known class, each a mixture of axis-parallel Gaussians.

    Source:
        SelfAdapt (arXiv 2504.03615), whose mixtures have five components a class.
    """

    def fit(self, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> Self:
        """Learn `(N, D)` embeddings of known faces and their `(N,)` labels.

        Raises:
            BadInput: if an entry is not finite.
        """
        refuse_nan(embeddings)
        points = embeddings.astype(np.float64)
        floor = SMALLEST_VARIANCE * float(points.var(axis=0).mean())
        self._mixtures = [_mixture(points[labels == label], floor) for label in np.unique(labels)]
        return self

    def score(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return `(N,)` scores of `(N, D)` embeddings, in nats."""
        refuse_nan(embeddings)
        if not len(embeddings):
            return np.empty(0)
        points = embeddings.astype(np.float64)
        likelihoods = np.stack([mixture.score_samples(points) for mixture in self._mixtures])
        score: NDArray[np.float64] = -likelihoods.max(axis=0)
        return score


def _mixture(faces: NDArray[np.float64], floor: float) -> GaussianMixture:
    components = min(COMPONENTS, len(faces))
    mixture = GaussianMixture(components, covariance_type="diag", reg_covar=floor, random_state=0)
    # A single face is refused; twice the same has the same mean and, but for the floor, no variance.
    return mixture.fit(faces if len(faces) > 1 else faces.repeat(2, axis=0))
