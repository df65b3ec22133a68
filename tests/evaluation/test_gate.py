"""The gate before a new model version, by hand: 1,000 held-out faces, of which 10 may be lost anyhow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from owcl.evaluation.gate import gate

NONE = np.empty(0, np.int64)


def judged(
    lost: int, gained: int = 0, exemplars: tuple[list[int], list[int], list[int]] = ([], [], [])
) -> dict[str, Any]:
    """Judge a version that loses and gains so many of 1,000 faces of class 1 to and from class 2.

    Exemplars are given by their classes, and what they are taken for without and with it.
    """
    truth = np.ones(1000, np.int64)
    before, after = truth.copy(), truth.copy()
    after[:lost] = 2
    before[1000 - gained :] = 2
    exemplar_ids, without, taken_for = (np.array(column, np.int64) for column in exemplars)
    return gate(truth, before, after, exemplar_ids, without, taken_for)


@pytest.mark.parametrize(("lost", "passes"), [(0, True), (16, True), (17, False)])
def test_a_fall_of_one_point_and_what_chance_explains_is_let_through(lost: int, passes: bool) -> None:
    # 10 + 1.64 √16 = 16.56, and 10 + 1.64 √17 = 16.76.
    found = judged(lost)
    assert found["passed"] == passes
    assert (found["acc_known_before"], found["acc_known_after"]) == (1.0, pytest.approx(1 - lost / 1000))


@pytest.mark.parametrize(("gained", "passes"), [(0, False), (1, True)])
def test_chance_explains_more_where_more_faces_changed_sides(gained: int, passes: bool) -> None:
    # 17 faces fewer are right each time; with one more that changed sides each way, 10 + 1.64 √19 = 17.15.
    found = judged(17 + gained, gained)
    assert found["acc_known_before"] - found["acc_known_after"] == pytest.approx(0.017)
    assert found["passed"] == passes


def test_a_gain_is_let_through() -> None:
    assert judged(lost=0, gained=100)["passed"]


@pytest.mark.parametrize(("kept", "passes"), [(9, True), (8, False)])
def test_every_class_keeps_nine_tenths_of_its_exemplars(kept: int, passes: bool) -> None:
    classes = [1] * 30 + [7] * 10
    found = judged(0, exemplars=(classes, classes, [1] * 30 + [7] * kept + [1] * (10 - kept)))
    assert found["exemplars_kept"] == {"1": 1.0, "7": kept / 10}
    assert found["passed"] == passes


@pytest.mark.parametrize(("has", "kept", "passes"), [(13, 1.0, True), (9, 0.9, True), (8, 0.8, False)])
def test_a_class_that_never_had_all_of_its_exemplars_need_not_have_them_now(
    has: int, kept: float, passes: bool
) -> None:
    # Ten of sixteen are its own without the new network.
    found = judged(0, exemplars=([7] * 16, [7] * 10 + [1] * 6, [7] * has + [1] * (16 - has)))
    assert found["exemplars_kept"] == {"7": kept}
    assert found["passed"] == passes


def test_a_class_that_had_no_exemplar_has_none_to_lose() -> None:
    assert judged(0, exemplars=([7] * 4, [1] * 4, [1] * 4))["passed"]


def test_two_ids_that_swap_are_refused() -> None:
    found = judged(0, exemplars=([7, 7, 8, 8], [7, 7, 8, 8], [8, 8, 7, 7]))
    assert found["exemplars_kept"] == {"7": 0.0, "8": 0.0}
    assert not found["passed"]


def test_without_held_out_faces_the_present_version_stays() -> None:
    found = gate(NONE, NONE, NONE, np.array([1]), np.array([1]), np.array([1]))
    assert found == {
        "passed": False,
        "acc_known_before": None,
        "acc_known_after": None,
        "exemplars_kept": {"1": 1.0},
    }
