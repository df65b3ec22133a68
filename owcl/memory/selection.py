"""Which faces of a class to keep, as functions of their features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def reservoir(seen: int, arrivals: int, capacity: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Keep every face of a stream with the same probability, whenever it came.

    Args:
        seen: faces of the stream before these; `min(seen, capacity)` of them are stored.
        arrivals: faces that come now.
        capacity: faces that can be stored, at least 1.
        rng: draws the fates.

    Returns:
        `(min(seen + arrivals, capacity),)` which to store from now on, as indices into the stored faces
        followed by the arriving ones.

    Source:
        Vitter, Random sampling with a reservoir, 1985, algorithm R.
    """
    stored = min(seen, capacity)
    kept = np.arange(min(seen + arrivals, capacity))
    numbers = seen + np.arange(arrivals)
    # While there is room a face takes the next slot; later it takes a random one, if that exists.
    slots = np.where(numbers < capacity, numbers, rng.integers(0, numbers + 1))
    for arrival in np.flatnonzero(slots < capacity):
        kept[slots[arrival]] = stored + arrival
    return kept


def herding(features: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """Choose faces one by one so that the mean of the chosen stays nearest to the mean of all.

    The first faces chosen are a good choice by themselves: dropping from the end keeps a good set.

    Args:
        features: `(N, D)`; of unit length in iCaRL.
        count: faces to keep; all when there are fewer.

    Returns:
        `(min(count, N),)` indices in the order chosen; the first one wins a tie.

    Source:
        Rebuffi, Kolesnikov, Sperl and Lampert, iCaRL, CVPR 2017 (arXiv 1611.07725), algorithm 4.
    """
    features = features.astype(np.float64)
    mean, total = features.mean(axis=0), np.zeros(features.shape[1])
    free = np.ones(len(features), bool)
    chosen = np.empty(min(count, len(features)), np.int64)
    for step in range(len(chosen)):
        distances = np.linalg.norm(mean - (total + features) / (step + 1), axis=1)
        chosen[step] = np.where(free, distances, np.inf).argmin()
        free[chosen[step]] = False
        total += features[chosen[step]]
    return chosen


def stratified(
    features: NDArray[np.floating],
    stability: NDArray[np.floating],
    centre: NDArray[np.floating],
    count: int,
) -> NDArray[np.int64]:
    """Choose pairs of faces from rings around the centre of the class: a stable one and its opposite.

    The faces are sorted by their distance to the centre and cut into `count / 2` rings of equal size. Of
    each ring the most stable face is kept, and the one with the lowest cosine to it.

    Args:
        features: `(N, D)`.
        stability: `(N,)` higher is steadier: cosine of the face's embedding to that of a mildly
            recompressed copy.
        centre: `(D,)` of the class.
        count: faces to keep; all when there are fewer.

    Returns:
        `(min(count, N),)` indices, the stable ones of all rings first, from the centre outwards.

    Source:
        SUR-LID (arXiv 2411.11396), with recompression in place of its shuffled grid.
    """
    if len(features) <= count:
        return np.arange(len(features))
    distances = np.linalg.norm(features - centre, axis=1)
    # With an odd count the last ring gives its stable face alone.
    rings = np.array_split(np.argsort(distances, kind="stable"), max(1, (count + 1) // 2))
    stable = [ring[stability[ring].argmax()] for ring in rings]
    opposite = [
        _least_alike(features, face, ring[ring != face]) for face, ring in zip(stable, rings, strict=True)
    ]
    return np.array([*stable, *opposite], np.int64)[:count]


def _least_alike(features: NDArray[np.floating], face: np.int64, others: NDArray[np.int64]) -> np.int64:
    lengths = np.maximum(np.linalg.norm(features[others], axis=1), 1e-12)
    chosen: np.int64 = others[(features[others] @ features[face] / lengths).argmin()]
    return chosen
