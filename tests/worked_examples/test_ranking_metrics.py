"""E9: the metrics of recovered sequences, and their floors."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from owcl.evaluation.sequences import (
    adaptive_accuracy,
    component_f1,
    exact_accuracy,
    fixed_accuracy,
    overlap,
    random_order,
)

TRUTH = np.array([[2, 4, 1, 0, 0], [3, 0, 0, 0, 0], [0, 0, 0, 0, 0], [5, 1, 4, 2, 3]])
FOUND = np.array([[2, 1, 4, 0, 0], [3, 5, 0, 0, 0], [0, 0, 0, 0, 0], [5, 1, 4, 2, 3]])


def test_e9_fixed_adaptive_and_exact_accuracy() -> None:
    assert fixed_accuracy(TRUTH, FOUND) == pytest.approx(17 / 20)
    assert adaptive_accuracy(TRUTH, FOUND) == pytest.approx(8 / 11)
    assert exact_accuracy(TRUTH, FOUND) == 0.5


def last_edit_first(rows: np.ndarray) -> np.ndarray:
    """Return the sequences backwards, zeros still at the end."""
    backwards = [[label for label in row[::-1] if label] for row in rows.tolist()]
    return np.array([[*row, *[0] * (rows.shape[1] - len(row))] for row in backwards])


def test_e9_sequences_that_are_aligned_at_the_last_edit_score_otherwise() -> None:
    truth, found = np.array([[2, 4, 1, 0, 0]]), np.array([[4, 1, 0, 0, 0]])
    assert (fixed_accuracy(truth, found), adaptive_accuracy(truth, found)) == (2 / 5, 0)
    aligned = last_edit_first(truth), last_edit_first(found)
    assert (fixed_accuracy(*aligned), adaptive_accuracy(*aligned)) == (4 / 5, pytest.approx(2 / 3))
    example = last_edit_first(TRUTH), last_edit_first(FOUND)
    assert fixed_accuracy(*example) == pytest.approx(16 / 20)
    assert adaptive_accuracy(*example) == pytest.approx(7 / 11)


def test_components_are_right_whatever_their_order() -> None:
    assert component_f1(TRUTH[:1], FOUND[:1]) == pytest.approx(3 / 5)  # two components have no positives
    assert component_f1(TRUTH[3:], FOUND[3:, ::-1]) == 1.0


def test_the_floor_is_the_average_over_all_orders() -> None:
    truth = np.array([[2, 4, 1, 0, 0]])
    found = [np.array([[*order, 0, 0]]) for order in permutations((2, 4, 1))]
    floor = random_order(truth)
    assert floor["fixed"] == pytest.approx(np.mean([fixed_accuracy(truth, row) for row in found]))
    assert floor["adaptive"] == pytest.approx(np.mean([adaptive_accuracy(truth, row) for row in found]))
    assert floor["exact"] == pytest.approx(1 / 6)


def test_masks_overlap_by_intersection_over_union() -> None:
    truth, found = np.zeros((2, 4, 4), bool), np.zeros((2, 4, 4), bool)
    truth[0, :2], found[0, 1:3] = True, True
    np.testing.assert_allclose(overlap(truth, found), [1 / 3, 1.0])
