"""How well sequences of edits are recovered: components, order, place.

Rows hold a face's edits in order, numbers from 1, then zeros.

Source:
    Fixed and adaptive accuracy: Shao, Wu and Liu, ECCV 2022 (arXiv 2207.02204).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

Rows = NDArray[np.int64]
Masks = NDArray[np.bool_]


def fixed_accuracy(truth: Rows, found: Rows) -> float:
    """Return the share of all positions of `(M, L)` rows that are right, zeros included."""
    return float((truth == found).mean())


def adaptive_accuracy(truth: Rows, found: Rows) -> float:
    """Return the share of positions that are right, up to the longer sequence of each face.

    The average is over positions; a face without edits in both counts as one position that is right.
    """
    longer = np.maximum((truth > 0).sum(axis=1), (found > 0).sum(axis=1))
    counted = np.arange(truth.shape[1]) < longer[:, None]
    empty = int((longer == 0).sum())
    right = int(((truth == found) & counted).sum())
    return (right + empty) / (int(longer.sum()) + empty)


def exact_accuracy(truth: Rows, found: Rows) -> float:
    """Return the share of faces whose whole sequence is right; NaN without faces."""
    return float((truth == found).all(axis=1).mean()) if len(truth) else math.nan


def component_f1(truth: Rows, found: Rows) -> float:
    """Return F1 of "was this component edited", averaged over components."""
    return float(f1_score(_presence(truth), _presence(found), average="macro", zero_division=0.0))


def random_order(truth: Rows) -> dict[str, float]:
    """Return `fixed`, `adaptive` and `exact` accuracy to expect of the right components in random order."""
    lengths = (truth > 0).sum(axis=1)
    edited, columns = lengths > 0, truth.shape[1]
    # A permutation has one fixed point on average, whatever its length.
    right = edited.sum() + (columns - lengths[edited]).sum() + columns * (~edited).sum()
    return {
        "fixed": float(right) / truth.size,
        "adaptive": len(truth) / float(np.maximum(lengths, 1).sum()),
        "exact": float(np.mean([1 / math.factorial(length) for length in lengths.tolist()])),
    }


def overlap(truth: Masks, found: Masks) -> NDArray[np.float64]:
    """Return the `(M,)` intersections over unions of `(M, H, W)` masks; 1 where both are empty."""
    both, either = (truth & found).sum(axis=(1, 2)), (truth | found).sum(axis=(1, 2))
    return np.where(either == 0, 1.0, both / np.maximum(either, 1))


def _presence(rows: Rows) -> NDArray[np.bool_]:
    presence: NDArray[np.bool_] = (rows[:, :, None] == np.arange(1, rows.shape[1] + 1)).any(axis=1)
    return presence
