"""Forgetting and transfer, from the matrix of accuracies `A[t, k]` on cohort k after experience t."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Forgetting:
    """By cohort, and their mean; not clipped, so that getting better is negative."""

    per_cohort: tuple[float, ...]
    mean: float


def forgetting(accuracies: Matrix) -> Forgetting:
    """Return how far each cohort but the last fell from its best, `max_{k <= t < T} A[t, k] - A[T, k]`.

    Args:
        accuracies: `(T + 1, T + 1)`; rows are experiences, columns cohorts; NaN where a cohort is empty.

    Source:
        Chaudhry et al., Riemannian walk for incremental learning, ECCV 2018.
    """
    last = len(accuracies) - 1
    return _by_cohort([np.max(accuracies[k:last, k]) - accuracies[last, k] for k in range(last)])


def first_to_last(accuracies: Matrix) -> Forgetting:
    """Return `A[k, k] - A[T, k]` of each cohort but the last; what Avalanche calls forgetting."""
    last = len(accuracies) - 1
    return _by_cohort([accuracies[k, k] - accuracies[last, k] for k in range(last)])


def backward_transfer(accuracies: Matrix) -> float:
    """Return the mean over cohorts of `A[T, k] - A[k, k]` (Lopez-Paz and Ranzato, NeurIPS 2017)."""
    return -first_to_last(accuracies).mean


def forward_transfer(accuracies: Matrix, baseline: Sequence[float]) -> Forgetting:
    """Return `A[k - 1, k] - b_k` of each cohort but the first; `baseline[k - 1]` is b_k."""
    values = [accuracies[k - 1, k] - baseline[k - 1] for k in range(1, len(accuracies))]
    return _by_cohort(values)


def seen_means(accuracies: Matrix) -> tuple[float, ...]:
    """Return for each experience the mean over the cohorts that have arrived."""
    return tuple(float(np.nanmean(row[: t + 1])) for t, row in enumerate(accuracies))


def _by_cohort(values: Sequence[float]) -> Forgetting:
    present = [value for value in values if not np.isnan(value)]
    return Forgetting(tuple(map(float, values)), float(np.mean(present)) if present else float("nan"))
