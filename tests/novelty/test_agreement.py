"""A cluster of one estimator and what others make of the same faces."""

from __future__ import annotations

import numpy as np

from owcl.novelty.counting.agreement import WITNESSES, found_by
from owcl.novelty.counting.registry import ESTIMATORS

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, -1])


def test_an_estimator_has_found_a_cluster_if_half_of_all_faces_of_both_are_shared() -> None:
    """Cluster 0 shares 3 of 4 and 2 of 5 faces with the best one of the others, cluster 1 all and 2 of 4."""
    others = {
        "near": np.array([0, 0, 0, -1, 1, 1, 1, -1]),
        "far": np.array([0, 0, -1, -1, 1, 1, 0, 1]),
    }
    assert found_by(LABELS, others) == (("near",), ("near", "far"))


def test_one_that_finds_nothing_agrees_with_nothing() -> None:
    assert found_by(LABELS, {"blind": np.full(8, -1)}) == ((), ())


def test_where_there_is_no_cluster_nobody_is_asked() -> None:
    assert found_by(np.full(8, -1), {"near": LABELS}) == ()


def test_all_who_are_asked_exist() -> None:
    assert set(WITNESSES) <= set(ESTIMATORS)
