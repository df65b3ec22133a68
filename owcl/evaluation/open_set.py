"""How well known and novel faces are told apart; novel is the positive class, higher scores more novel."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from owcl.errors import BadInput
from owcl.types import UNKNOWN

Scores = NDArray[np.float64]


def separation(known: Scores, novel: Scores) -> dict[str, float]:
    """Return `auroc`, `aupr`, `fpr95` and `alarm95` of `(N,)` known and `(M,)` novel scores.

    `fpr95` is the share of novel faces accepted at the threshold that accepts 95 % of known ones; `alarm95`
    the share of known faces flagged at the threshold that catches 95 % of novel ones. NaN if a side is empty.

    Raises:
        BadInput: if a score is NaN.
    """
    _refuse_nan(known, novel)
    if not len(known) or not len(novel):
        return dict.fromkeys(("auroc", "aupr", "fpr95", "alarm95"), math.nan)
    is_novel = np.repeat([0, 1], [len(known), len(novel)])
    scores = np.concatenate([known, novel])
    accepts = np.sort(known)[math.ceil(0.95 * len(known)) - 1]
    catches = np.sort(novel)[::-1][math.ceil(0.95 * len(novel)) - 1]
    return {
        "auroc": float(roc_auc_score(is_novel, scores)),
        "aupr": float(average_precision_score(is_novel, scores)),
        "fpr95": float((novel <= accepts).mean()),
        "alarm95": float((known >= catches).mean()),
    }


def oscr(known: Scores, correct: NDArray[np.bool_], novel: Scores) -> float:
    """Return the mean over pairs of known and novel faces of being right and less novel; ties count half.

    Args:
        known: `(N,)` scores.
        correct: `(N,)` whether each known face was attributed rightly.
        novel: `(M,)` scores.

    Returns:
        At most the share of `correct`; NaN if a side is empty.

    Raises:
        BadInput: if a score is NaN.

    Source:
        Dhamija, Günther and Boult, Reducing network agnostophobia, NeurIPS 2018, as an area; written here
        as a mean over pairs.
    """
    _refuse_nan(known, novel)
    if not len(known) or not len(novel):
        return math.nan
    ordered = np.sort(novel)
    above = len(novel) - np.searchsorted(ordered, known, side="right")
    at_least = len(novel) - np.searchsorted(ordered, known, side="left")
    return float((correct * (above + at_least) / 2).mean() / len(novel))


def open_set_acc(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], registry: Mapping[int, int | None]
) -> float:
    """Return the share of faces that are right, where unknown is right for a method without a class.

    Args:
        truth: `(N,)` method numbers, also of methods that have not arrived.
        predicted: `(N,)` class ids; -1 is "none that I know".
        registry: class id → method number, or none for a class that stands for no method.

    Returns:
        A fraction; NaN where there is no face.
    """
    registered = {method for method in registry.values() if method is not None}
    right = [
        registry.get(class_id) == method if method in registered else class_id == UNKNOWN
        for method, class_id in zip(truth.tolist(), predicted.tolist(), strict=True)
    ]
    return float(np.mean(right)) if right else math.nan


def _refuse_nan(*scores: Scores) -> None:
    for side in scores:
        if bad := int(np.isnan(side).sum()):
            raise BadInput(
                f"open-set figures: {bad} of {len(side)} scores are NaN. Numbers are expected, higher for "
                "more novel. Look for embeddings that are not finite."
            )
