"""Which faces should an operator look at? Those that are in doubt, and stand for many others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 10
SHARPNESS = 0.1
"""Temperature of the softmax over cosines to the centres of classes."""


@dataclass(frozen=True)
class Queue:
    """Faces in the order in which they should be looked at; columns of `(B,)`."""

    rows: NDArray[np.int64]
    """Positions among the candidates."""
    classes: NDArray[np.int64]
    """The likeliest class, as a position among the centres."""
    margins: NDArray[np.float64]
    """By how much it is likelier than the second one, in [0, 1]."""


def most_useful(candidates: NDArray[np.float32], centres: NDArray[np.float32], budget: int) -> Queue:
    """Choose faces by doubt times density, each unlike those that were chosen before it.

    Args:
        candidates: `(N, D)` embeddings of unit length of faces that nobody has labelled.
        centres: `(C, D)` of classes, at least one.
        budget: how many to choose at most.

    Source:
        Settles and Craven, An analysis of active learning strategies for sequence labeling tasks, EMNLP 2008
        (information density, here with the margin as doubt); the spread over unlike faces is ours.
    """
    directions = centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    logits = candidates.astype(np.float64) @ directions.T.astype(np.float64) / SHARPNESS
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    second = np.sort(shares, axis=1)[:, -2] if len(centres) > 1 else np.zeros(len(candidates))
    margins = shares.max(axis=1, initial=0) - second
    value = (1 - margins) * _density(candidates)
    chosen: list[int] = []
    while len(chosen) < min(budget, len(candidates)):
        best = int(value.argmax())
        chosen.append(best)
        # Its twins would teach nothing more.
        value = value * np.clip(1 - candidates @ candidates[best], 1e-6, 1)
        value[best] = -1.0
    rows = np.array(chosen, np.int64)
    return Queue(rows, shares.argmax(axis=1)[rows], margins[rows])


def _density(candidates: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return `(N,)` mean cosines to the nearest other faces, raised to [0, 1]."""
    import faiss

    count = min(NEIGHBOURS + 1, len(candidates))
    index = faiss.IndexFlatIP(candidates.shape[1])
    vectors = np.ascontiguousarray(candidates, np.float32)
    index.add(vectors)
    cosines, _ = index.search(vectors, count)
    if count == 1:
        return np.ones(1)
    density: NDArray[np.float64] = np.clip(cosines[:, 1:].astype(np.float64), 0, 1).mean(axis=1)
    return density
