"""The metric for clustering, taken from the known classes: what varies within a method tells no two apart."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from owcl.errors import BadInput

BATCH = 100_000
"""Vectors that are whitened at a time, since that is done in double precision."""


class WithinClassWhitening:
    """Makes the scatter within known classes the unit of every direction.

    Pose, light and identity vary within each known method; a direction in which these vary little and a
    pool varies much holds the traces of generators. Whitened vectors have unit length, since outlying
    faces are long ones.

    Source:
        Hatch, Kajarekar and Stolcke, Within-class covariance normalization, Interspeech 2006; shrinkage
        after Ledoit and Wolf, Journal of Multivariate Analysis 2004.
    """

    def fit(self, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> Self:
        """Learn from `(N, D)` embeddings of known faces and their `(N,)` labels.

        Raises:
            BadInput: if no class has two faces, or an entry is not finite.
        """
        if not np.isfinite(embeddings).all():
            raise BadInput(
                f"whitening: {(~np.isfinite(embeddings)).sum()} entries of the embeddings are not finite. "
                "Finite ones are expected. Embed the faces again."
            )
        _, rows, counts = np.unique(labels, return_inverse=True, return_counts=True)
        if counts.max(initial=0) < 2:
            raise BadInput(
                f"whitening: {len(labels)} faces of {len(counts)} classes, none with two. Several faces of a "
                "class are expected. Add labelled faces."
            )
        vectors = embeddings.astype(np.float64)
        means = np.zeros((len(counts), vectors.shape[1]))
        np.add.at(means, rows, vectors)
        means /= counts[:, None]
        scatter = LedoitWolf(assume_centered=True).fit(vectors - means[rows]).covariance_
        variances, directions = np.linalg.eigh(scatter)
        self._centre = vectors.mean(axis=0)
        deviations = np.sqrt(np.maximum(variances, np.finfo(np.float64).tiny))
        self._transform, self._inverse = directions / deviations, deviations[:, None] * directions.T
        return self

    def transform(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return `(M, D)` vectors of unit length."""
        return np.concatenate(
            [
                _unit((part.astype(np.float64) - self._centre) @ self._transform)
                for part in np.array_split(embeddings, 1 + len(embeddings) // BATCH)
            ]
        )

    def inverse(self, whitened: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return `(M, D)` whitened vectors as they were before, centred and of unit length."""
        return _unit(whitened.astype(np.float64) @ self._inverse)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit
