"""Novelty as the doubt of a classifier."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from owcl.novelty.scores.linear import LinearClassifier


class SoftmaxScore:
    """One less the largest probability of a known class.

    Source:
        Hendrycks and Gimpel, A baseline for detecting misclassified and out-of-distribution examples,
        ICLR 2017.
    """

    def fit(self, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> Self:
        """Learn `(N, D)` embeddings of known faces and their `(N,)` labels.

        Raises:
            BadInput: if there are fewer than two classes, or an entry is not finite.
        """
        self._classifier = LinearClassifier().fit(embeddings, labels)
        return self

    def score(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return `(N,)` scores in [0, 1] of `(N, D)` embeddings."""
        return doubt(self._classifier.logits(embeddings))


def doubt(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `(N,)` one less the largest softmax of `(N, C)` logits."""
    score: NDArray[np.float64] = 1 - softmax(logits, axis=1).max(axis=1)
    return score
