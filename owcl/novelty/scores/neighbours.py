"""Novelty as the distance to the known faces nearby."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from owcl.errors import BadInput
from owcl.novelty.scores.linear import refuse_nan


class NearestNeighbourScore:
    """Distance to the k-th nearest known face.

    Args:
        k: which neighbour counts; a larger one forgives single known faces in strange places.

    Source:
        Sun, Ming, Zhu and Li, Out-of-distribution detection with deep nearest neighbors, ICML 2022
        (arXiv 2204.06507).
    """

    def __init__(self, k: int = 10) -> None:
        self.k = k

    def fit(self, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> Self:
        """Index `(N, D)` embeddings of known faces; `labels` are not used.

        Raises:
            BadInput: if there are fewer than k faces, or an entry is not finite.
        """
        import faiss

        refuse_nan(embeddings)
        if len(embeddings) < self.k:
            raise BadInput(
                f"nearest-neighbour score: {len(embeddings)} known faces for k = {self.k}. At least k are "
                "expected. Add labelled faces."
            )
        self._index = faiss.IndexFlatL2(embeddings.shape[1])
        self._index.add(np.ascontiguousarray(embeddings))
        return self

    def score(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return `(N,)` Euclidean distances of `(N, D)` embeddings; in [0, 2] for unit length."""
        refuse_nan(embeddings)
        squared, _ = self._index.search(np.ascontiguousarray(embeddings), self.k)
        distances: NDArray[np.float64] = np.sqrt(np.maximum(squared[:, -1], 0).astype(np.float64))
        return distances
