"""Novelty as a lack of evidence for any known class."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from owcl.novelty.scores.linear import LinearClassifier


class EnergyScore:
    """The free energy of a classifier's logits.

    Source:
        Liu, Wang, Owens and Li, Energy-based out-of-distribution detection, NeurIPS 2020 (arXiv 2010.03759).
    """

    def fit(self, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> Self:
        """Learn `(N, D)` embeddings of known faces and their `(N,)` labels.

        Raises:
            BadInput: if there are fewer than two classes, or an entry is not finite.
        """
        self._classifier = LinearClassifier().fit(embeddings, labels)
        return self

    def score(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return `(N,)` scores of `(N, D)` embeddings, without a bound."""
        return energy(self._classifier.logits(embeddings))


def energy(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `(N,)` free energies `-log sum exp` of `(N, C)` logits, at temperature 1."""
    score: NDArray[np.float64] = -logsumexp(logits, axis=1)
    return score
