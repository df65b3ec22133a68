"""Forgetting and discovery over a stream by numbers: example E4 of the continual specification."""

from __future__ import annotations

import math

import numpy as np
import pytest

from owcl.evaluation.accuracy import Roles, accuracy_columns
from owcl.evaluation.forgetting import over_stream

START = {"acc_known": 90.36, "id_acc_all": 90.36}
"""Session 0 of Happy's table on CIFAR-100."""


@pytest.mark.parametrize(
    ("start", "seen", "printed"),
    [(90.36, 60.96, 29.40), (85.86, 56.66, 29.20), (90.26, 60.49, 29.77), (96.20, 79.11, 17.09)],
)
def test_e4_forgetting_of_the_seen_is_what_the_later_paper_prints(
    start: float, seen: float, printed: float
) -> None:
    first = {"acc_known": start, "id_acc_all": start}
    last = {"acc_known": math.nan, "acc_seen": seen, "id_acc_new": math.nan, "id_acc_novel": math.nan}
    assert over_stream([first, last])["forget_seen"] == pytest.approx(printed, abs=0.005)


def test_e4_forgetting_of_the_labelled_is_another_figure() -> None:
    last = {"acc_known": 90.36 - 11.22, "acc_seen": 60.96, "id_acc_new": 51.30, "id_acc_novel": 51.30}
    figures = over_stream([START, last])
    assert figures["forget_labelled"] == pytest.approx(11.22)
    assert figures["forget_seen"] == pytest.approx(29.40)


def test_e4_the_last_session_holds_nine_seen_classes_for_each_new_one() -> None:
    # Methods 0 to 8 stand for the 90 seen classes, method 9 for the 10 new ones; ten thousand faces each.
    truth = np.repeat(np.arange(10), 10_000)
    right = np.concatenate([np.arange(10_000) < count for count in [6_096] * 9 + [5_130]])
    roles = Roles(frozenset(range(5)), frozenset(range(5, 9)), frozenset({9}))
    columns = accuracy_columns(
        truth, np.where(right, truth, -1), roles, {method: method for method in range(10)}
    )
    assert columns["acc_seen"] == pytest.approx(0.6096)
    assert columns["id_acc_new"] == pytest.approx(0.5130)
    assert columns["id_acc_all"] == pytest.approx(0.5999, abs=1e-4)


def test_e4_discovery_is_a_mean_over_sessions_without_the_first() -> None:
    later = [{**START, "acc_seen": 0.0, "id_acc_new": new, "id_acc_novel": new} for new in (60.0, 45.0, 51.0)]
    figures = over_stream([{**START, "id_acc_new": math.nan}, *later])
    assert figures["discovery_mean"] == pytest.approx(52.0)
