"""What scores on logits share: a linear classifier of the known classes on their embeddings."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from owcl.errors import BadInput


class LinearClassifier:
    """Multinomial logistic regression, so that a score depends on embeddings alone and not on a network."""

    def fit(self, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> Self:
        """Learn `(N, D)` embeddings of known faces and their `(N,)` labels.

        Raises:
            BadInput: if there are fewer than two classes, or an entry is not finite.
        """
        from sklearn.linear_model import LogisticRegression

        refuse_nan(embeddings)
        self._classes = np.unique(labels)
        if len(self._classes) < 2:
            raise BadInput(
                f"open-set score: {len(self._classes)} known classes. At least two are expected for a score "
                "on logits. Use the score `neighbours`, or label another class."
            )
        self._model = LogisticRegression(C=100.0, max_iter=500).fit(embeddings, labels)
        return self

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return `(N, C)` logits of `(N, D)` embeddings."""
        refuse_nan(embeddings)
        weights, biases = self._model.coef_, self._model.intercept_
        if len(weights) == 1:  # Of two classes only the second one's side is kept.
            weights, biases = np.concatenate([-weights, weights]) / 2, np.concatenate([-biases, biases]) / 2
        logits: NDArray[np.float64] = embeddings.astype(np.float64) @ weights.T + biases
        return logits


def refuse_nan(embeddings: NDArray[np.float32]) -> None:
    """Raise BadInput if an entry is not finite."""
    if not np.isfinite(embeddings).all():
        raise BadInput(
            f"open-set score: {(~np.isfinite(embeddings)).sum()} entries of the embeddings are not finite. "
            "Finite ones are expected. Embed the faces again."
        )
