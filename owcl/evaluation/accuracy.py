"""Accuracy under the four matchings: direct, own, joint and registry.

Source:
    The matchings are told apart in `docs/measures.md`; known, novel and all accuracy are those of the code
    released with CPL, ICCV 2023.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from owcl.types import UNKNOWN

Ids = NDArray[np.int64]
Map = Mapping[int, int | None]
"""Class id → method number, or none for a class that stands for no method."""


@dataclass(frozen=True)
class Roles:
    """Method numbers by what they are at one experience; no method has two roles."""

    known: frozenset[int]
    """Labelled in experience 0."""
    earlier: frozenset[int]
    """Novel ones that arrived in an experience before."""
    new: frozenset[int]
    """Novel ones that first arrive in this experience."""


def accuracy_columns(truth: Ids, predicted: Ids, roles: Roles, registry: Map) -> dict[str, float]:
    """Return every accuracy column; `docs/measures.md` says what each means.

    Args:
        truth: `(N,)` method numbers of test faces, all of methods that have arrived.
        predicted: `(N,)` class ids; -1 is "none that I know" and always an error here.
        roles: which methods are known, earlier and new.
        registry: the map that was fixed when each class was promoted; ids in the order of promotion.

    Returns:
        Fractions in [0, 1] by column name; NaN where a subset is empty. `acc_known` is direct: a later
        class that duplicates a known method is wrong there, and right in `id_acc_known`.
    """
    novel = roles.earlier | roles.new
    is_known, is_novel = _among(truth, roles.known), _among(truth, novel)
    by_registry = _right(truth, predicted, registry)
    by_joint = _right(truth, predicted, match(truth, predicted))
    own = match(truth[is_novel], predicted[is_novel])
    strict = _right(truth, predicted, _oldest_only(registry))
    all_joint, id_all = _mean(by_joint), _mean(by_registry)
    return {
        "acc_known": _mean(strict[is_known]),
        "acc_novel_own": _mean(_right(truth[is_novel], predicted[is_novel], own)),
        "acc_all_joint": all_joint,
        "acc_known_joint": _mean(by_joint[is_known]),
        "acc_novel_joint": _mean(by_joint[is_novel]),
        "acc_seen": _mean(by_registry[is_known | _among(truth, roles.earlier)]),
        "id_acc_known": _mean(by_registry[is_known]),
        "id_acc_earlier": _mean(by_registry[_among(truth, roles.earlier)]),
        "id_acc_new": _mean(by_registry[_among(truth, roles.new)]),
        "id_acc_novel": _mean(by_registry[is_novel]),
        "id_acc_all": id_all,
        "id_acc_all_strict": _mean(strict),
        "id_acc_novel_macro": _macro(by_registry, truth, novel),
        "id_acc_all_macro": _macro(by_registry, truth, novel | roles.known),
        "identity_loss": all_joint - id_all,
        "abstained": _mean(predicted == UNKNOWN),
    }


def match(truth: Ids, predicted: Ids) -> dict[int, int | None]:
    """Return the one-to-one map of class ids to method numbers that makes most faces right (Hungarian).

    Surplus ids and surplus methods stay unmatched; -1 is never matched.
    """
    ids, methods = np.unique(predicted[predicted != UNKNOWN]), np.unique(truth)
    table = contingency(truth, predicted, ids, methods)
    rows, columns = linear_sum_assignment(-table)
    return {int(ids[row]): int(methods[column]) for row, column in zip(rows, columns, strict=True)}


def contingency(truth: Ids, predicted: Ids, ids: Ids, methods: Ids) -> Ids:
    """Return the `(len(ids), len(methods))` counts of faces predicted as an id and made by a method."""
    counts = np.zeros((len(ids), len(methods)), np.int64)
    counted = np.isin(predicted, ids) & np.isin(truth, methods)
    rows = np.searchsorted(ids, predicted[counted])
    columns = np.searchsorted(methods, truth[counted])
    np.add.at(counts, (rows, columns), 1)
    return counts


def per_method_accuracy(truth: Ids, predicted: Ids, registry: Map) -> dict[int, float]:
    """Return the registry accuracy of each method in `truth`."""
    right = _right(truth, predicted, registry)
    return {int(method): float(right[truth == method].mean()) for method in np.unique(truth)}


def known_novel_all(labels: Ids, predictions: Ids, num_known: int) -> dict[str, float]:
    """Return CPL's accuracies: known faces directly, novel faces and all faces each by their own Hungarian.

    Args:
        labels: `(N,)`; those below `num_known` are known.
        predictions: `(N,)` outputs.
        num_known: K.
    """
    known = labels < num_known
    return {
        "known": _mean(predictions[known] == labels[known]),
        "novel": _mean(
            _right(labels[~known], predictions[~known], match(labels[~known], predictions[~known]))
        ),
        "all": _mean(_right(labels, predictions, match(labels, predictions))),
    }


def registry_entry(truth_of_members: Ids) -> int | None:
    """Return the method that a class stands for: the majority of its members, none below one half."""
    if not len(truth_of_members):
        return None
    methods, counts = np.unique(truth_of_members, return_counts=True)
    best = counts.argmax()
    return int(methods[best]) if counts[best] >= len(truth_of_members) / 2 else None


def _right(truth: Ids, predicted: Ids, stands_for: Map) -> NDArray[np.bool_]:
    right = np.zeros(len(truth), np.bool_)
    for class_id in np.unique(predicted[predicted != UNKNOWN]).tolist():
        method = stands_for.get(class_id)
        if method is not None:
            right |= (predicted == class_id) & (truth == method)
    return right


def _oldest_only(registry: Map) -> dict[int, int | None]:
    taken: set[int] = set()
    oldest: dict[int, int | None] = {}
    for class_id in sorted(registry):
        method = registry[class_id]
        oldest[class_id] = None if method in taken else method
        if method is not None:
            taken.add(method)
    return oldest


def _macro(right: NDArray[np.bool_], truth: Ids, methods: Collection[int]) -> float:
    means = [_mean(right[truth == method]) for method in sorted(methods) if (truth == method).any()]
    return float(np.mean(means)) if means else math.nan


def _among(truth: Ids, methods: Collection[int]) -> NDArray[np.bool_]:
    return np.isin(truth, list(methods))


def _mean(right: NDArray[np.bool_]) -> float:
    return float(right.mean()) if len(right) else math.nan
