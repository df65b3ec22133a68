"""CAL's example 13: its columns beside the variants of generalised category discovery, and errors of K."""

from __future__ import annotations

import numpy as np
import pytest

from owcl.evaluation.accuracy import Roles, accuracy_columns, known_novel_all, match, per_method_accuracy
from owcl.evaluation.agreement import agreement
from owcl.evaluation.discovery import relative_count_error

TRUTH = np.repeat([0, 1, 2, 3], [8, 4, 4, 4])
KNOWN = slice(12)
ROLES = Roles(known=frozenset({0, 1}), earlier=frozenset(), new=frozenset({2, 3}))
MIXED = np.array([0] * 7 + [2] + [1, 1, 1, 0] + [2, 2, 2, 4] + [0, 0, 0, 3])
SWAPPED = np.repeat([1, 0, 2, 3], [8, 4, 4, 4])
OVER_SPLIT = np.array([0] * 8 + [1] * 4 + [2, 2, 4, 4] + [3] * 4)
MERGED = np.repeat([0, 1, 2], [8, 4, 8])


@pytest.mark.parametrize(
    ("predicted", "cal", "separate", "joint", "partition"),
    [
        (MIXED, (0.70, 0.833333, 0.75), (0.833333, 0.75), (0.70, 0.833333, 0.50), (0.581788, 0.367173)),
        (SWAPPED, (1, 0, 1), (1, 1), (1, 1, 1), (1, 1)),
        (OVER_SPLIT, (0.90, 1, 0.75), (1, 0.75), (0.90, 1, 0.75), (0.950542, 0.940884)),
        (MERGED, (0.80, 1, 0.50), (1, 0.50), (0.80, 1, 0.50), (0.883851, 0.794816)),
    ],
    ids=["mixed", "known swapped", "over-split", "merged"],
)
def test_one_prediction_by_every_matching(
    predicted: np.ndarray,
    cal: tuple[float, ...],
    separate: tuple[float, ...],
    joint: tuple[float, ...],
    partition: tuple[float, ...],
) -> None:
    """The columns of CAL (all, known, novel), v1 (known, novel), v2 (all, known, novel), and NMI with ARI."""
    found = known_novel_all(TRUTH, predicted, 2)
    assert (found["all"], found["known"], found["novel"]) == pytest.approx(cal, abs=1e-6)
    columns = accuracy_columns(TRUTH, predicted, ROLES, {})
    alone = accuracy_columns(TRUTH[KNOWN], predicted[KNOWN], ROLES, {})
    assert (alone["acc_known_joint"], columns["acc_novel_own"]) == pytest.approx(separate, abs=1e-6)
    together = [columns[f"acc_{part}_joint"] for part in ("all", "known", "novel")]
    assert together == pytest.approx(joint, abs=1e-6)
    alike = agreement(TRUTH, predicted)
    assert (alike["nmi"], alike["ari"]) == pytest.approx(partition, abs=1e-6)


def test_one_prediction_class_by_class() -> None:
    matching = match(TRUTH, MIXED)
    columns = accuracy_columns(TRUTH, MIXED, ROLES, matching)
    by_class = per_method_accuracy(TRUTH, MIXED, matching)
    found = (columns["id_acc_all_macro"], (by_class[0] + by_class[1]) / 2, columns["id_acc_novel_macro"])
    assert found == pytest.approx((0.65625, 0.8125, 0.5))


@pytest.mark.parametrize(
    ("found", "known", "everything", "novel"),
    [(39, 19, 4.88, 9.1), (37, 13, 9.76, 14.3), (40, 29, 2.44, 8.3)],
)
def test_known_classes_hide_most_of_an_error_of_the_number(
    found: int, known: int, everything: float, novel: float
) -> None:
    error = relative_count_error(found, 41, known)
    assert 100 * error["all"] == pytest.approx(everything, abs=0.005)
    assert 100 * error["novel"] == pytest.approx(novel, abs=0.05)
