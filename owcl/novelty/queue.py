"""Which faces should an operator look at? Those that seem to stand in the wrong class, as many others do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from owcl.novelty.indexes import on_gpu

NEIGHBOURS = 10
TWIN = 0.01
"""Distance in cosine up to which two faces would teach the same."""


@dataclass(frozen=True)
class Queue:
    """Faces in the order in which they should be looked at; columns of `(B,)`."""

    rows: NDArray[np.int64]
    """Positions among the candidates."""
    rivals: NDArray[np.int64]
    """The likeliest class other than that in which the face stands, as a column of the scores."""
    doubts: NDArray[np.float64]
    """In [0, 1]: 0.5 where class and rival are as likely, and more where the rival is likelier."""


def most_useful(
    candidates: NDArray[np.float32], scores: NDArray[np.float64], standing: NDArray[np.int64], budget: int
) -> Queue:
    """Choose faces by doubt times density, none of them a twin of one that was chosen before.

    Doubt is about the class in which a face stands, and not about which of all is the likeliest: a label
    that says what everybody believes already teaches little, one that corrects teaches much.

    Args:
        candidates: `(N, D)` embeddings of unit length of faces that nobody has labelled.
        scores: `(N, C)` near 1 for the class and near 0 for others, of a head that has not learned the face
            that it judges.
        standing: `(N,)` columns of the classes in which they stand; -1 for none.
        budget: how many to choose at most.

    Source:
        Settles and Craven, An analysis of active learning strategies for sequence labeling tasks, EMNLP 2008
        (information density); the doubt about a class that is given already is that of confident learning
        (Northcutt et al., JAIR 2021), with left-out scores.
    """
    rows = np.arange(len(candidates))
    placed = np.flatnonzero(standing >= 0)
    own = np.zeros(len(candidates))
    own[placed] = scores[placed, standing[placed]]
    others = scores.copy()
    others[placed, standing[placed]] = -np.inf
    rivals = others.argmax(axis=1)
    doubts = np.clip((1 + others[rows, rivals] - own) / 2, 0, 1)
    value = doubts * _density(candidates)
    chosen: list[int] = []
    while len(chosen) < min(budget, len(candidates)):
        best = int(value.argmax())
        chosen.append(best)
        value = value * np.clip((1 - candidates @ candidates[best]) / TWIN, 1e-6, 1)
        value[best] = -np.inf
    found = np.array(chosen, np.int64)
    return Queue(found, rivals[found], doubts[found])


def _density(candidates: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return `(N,)` mean cosines to the nearest other faces, raised to [0, 1]."""
    import faiss

    count = min(NEIGHBOURS + 1, len(candidates))
    index = on_gpu(faiss.IndexFlatIP(candidates.shape[1]))
    vectors = np.ascontiguousarray(candidates, np.float32)
    index.add(vectors)
    cosines, _ = index.search(vectors, count)
    if count == 1:
        return np.ones(1)
    density: NDArray[np.float64] = np.clip(cosines[:, 1:].astype(np.float64), 0, 1).mean(axis=1)
    return density
