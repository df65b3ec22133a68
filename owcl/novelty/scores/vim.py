"""Novelty as what lies outside of the known classes' subspace, against the evidence for any of them."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from owcl.novelty.scores.energy import energy
from owcl.novelty.scores.linear import LinearClassifier

EXPLAINED = 0.9
"""Share of the variance of known faces that the principal subspace holds."""


class ViMScore:
    """The norm outside of the principal subspace as one more logit, set off against the others.

    Source:
        Wang, Li, Feng and Zhang, ViM: Out-of-distribution with virtual-logit matching, CVPR 2022
        (arXiv 2203.10807); the size of the subspace by variance is ours.
    """

    def fit(self, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> Self:
        """Learn `(N, D)` embeddings of known faces and their `(N,)` labels.

        Raises:
            BadInput: if there are fewer than two classes, or an entry is not finite.
        """
        self._classifier = LinearClassifier().fit(embeddings, labels)
        points = embeddings.astype(np.float64)
        self._mean = points.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov((points - self._mean).T))
        explained = np.cumsum(values[::-1]) / values.sum()
        size = min(int(np.searchsorted(explained, EXPLAINED)) + 1, len(values) - 1)
        self._outside = vectors[:, : len(values) - size]
        strongest = self._classifier.logits(embeddings).max(axis=1).mean()
        self._scale = abs(float(strongest)) / max(float(self._residual(points).mean()), 1e-12)
        return self

    def score(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return `(N,)` scores of `(N, D)` embeddings, without a bound."""
        logits = self._classifier.logits(embeddings)
        return self._scale * self._residual(embeddings.astype(np.float64)) + energy(logits)

    def _residual(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        norms: NDArray[np.float64] = np.linalg.norm((points - self._mean) @ self._outside, axis=1)
        return norms
