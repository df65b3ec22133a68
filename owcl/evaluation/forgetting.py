"""Forgetting and transfer, from the matrix of accuracies `A[t, k]` on cohort k after experience t."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Forgetting:
    """A figure by cohort, and the mean of those that are defined; not clipped, so that it may be negative."""

    per_cohort: tuple[float, ...]
    mean: float
    """NaN where no cohort has a figure."""


def forgetting(accuracies: Matrix) -> Forgetting:
    """Return how far each cohort but the last fell from its best, `max_{k <= t < T} A[t, k] - A[T, k]`.

    Args:
        accuracies: `(T + 1, T + 1)` fractions; rows are experiences, columns cohorts; NaN where a cohort
            is empty, as after an experience in which nothing new arrived.

    Source:
        Chaudhry et al., Riemannian walk for incremental learning, ECCV 2018.
    """
    arrived = np.where(np.tri(len(accuracies), dtype=bool), accuracies, np.nan)
    return _by_cohort(falls(arrived)[:-1])


def falls(accuracies: Matrix) -> tuple[float, ...]:
    """Return how far each column fell from its best earlier row to the last one; negative where it rose.

    Args:
        accuracies: `(T, C)`; NaN where there was nothing to measure.

    Returns:
        C differences; NaN for a column without an earlier value, or without a last one.
    """
    *earlier, last = accuracies
    best = np.fmax.reduce(earlier, axis=0) if earlier else np.full_like(last, np.nan)
    return tuple((best - last).tolist())


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
    return tuple(_mean(row[: t + 1]) for t, row in enumerate(accuracies))


def over_stream(columns: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return what C-GCD papers say of a whole stream, from `accuracy_columns` after experiences 0 to T.

    NaN where a figure of an experience that is needed is not defined.

    `forget_labelled` is the M_f of Happy's table, `forget_seen` that of GOAL's, and `discovery_mean` the M_d
    of both: two forgettings share one name there, so that they must not be compared with each other.
    `discovery_mean` leaves out experiences in which nothing new arrived.
    """
    first, last = columns[0], columns[-1]
    return {
        "forget_labelled": first["acc_known"] - last["acc_known"],
        "forget_seen": first["id_acc_all"] - last["acc_seen"],
        "discovery_mean": _mean([row["id_acc_new"] for row in columns[1:]]),
    }


def _by_cohort(values: Sequence[float]) -> Forgetting:
    return Forgetting(tuple(map(float, values)), _mean(values))


def _mean(values: Sequence[float] | Matrix) -> float:
    present = [value for value in values if not np.isnan(value)]
    return float(np.mean(present)) if present else math.nan
