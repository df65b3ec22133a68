"""The worked examples of the continual setting that concern novelty."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from owcl.novelty.calibration import conformal_p_values, conformal_threshold, realised_rate_range
from owcl.novelty.counting.resampling import stability
from owcl.novelty.drift import arrival_count
from owcl.novelty.matching import energy_distance, overlap

CALIBRATION = np.array([0.10, 0.12, 0.15, 0.18, 0.20, 0.25, 0.30, 0.40, 0.55])


def test_conformal_p_values_by_hand() -> None:
    p_values = conformal_p_values(CALIBRATION, np.array([0.41, 0.6, 0.40, 0.05]))
    assert p_values.tolist() == pytest.approx([0.2, 0.1, 0.3, 1.0])


def test_conformal_thresholds_by_hand() -> None:
    assert conformal_threshold(CALIBRATION, 0.2) == 0.40
    assert conformal_threshold(CALIBRATION, 0.1) == 0.55
    assert conformal_threshold(CALIBRATION, 0.05) == math.inf


@pytest.mark.parametrize(
    ("size", "rate", "low", "high"),
    [(200, 0.05, 0.0242, 0.0837), (1000, 0.05, 0.0373, 0.0643), (1000, 0.01, 0.0048, 0.0170)],
)
def test_the_realised_rate_follows_a_beta_law(size: int, rate: float, low: float, high: float) -> None:
    assert realised_rate_range(size, rate) == pytest.approx((low, high), abs=1e-4)


def test_an_arrival_needs_more_unknown_faces_than_chance_makes() -> None:
    tails = {10: 0.545290, 16: 0.044356, 18: 0.012089, 21: 0.001160}
    assert {k: binom.sf(k - 1, 200, 0.05) for k in tails} == pytest.approx(tails, abs=1e-5)
    assert arrival_count(200, 0.05) == 22


def test_overlap_says_which_cluster_continues_a_class() -> None:
    # The last column counts anchors in no cluster.
    forward, backward = overlap(np.array([[34, 4, 0, 2], [2, 1, 26, 1]]))
    assert forward[:, :3] == pytest.approx(
        np.array([[0.85, 0.10, 0], [0.066667, 0.033333, 0.866667]]), abs=1e-5
    )
    assert backward[:, :3] == pytest.approx(np.array([[0.944444, 0.8, 0], [0.055556, 0.2, 1]]), abs=1e-5)


def test_energy_distance_by_hand() -> None:
    column = np.array([[0.0], [1.0], [3.0], [4.0]])
    assert energy_distance(column[:2], column[2:]) == 5.0
    spread = energy_distance(np.array([[0.0], [1], [2], [3]]), np.array([[0.5], [1.5], [2.5]]))
    assert spread == pytest.approx(0.194444, abs=1e-5)


def test_a_cluster_came_back_when_most_of_its_faces_did() -> None:
    labels = np.concatenate([np.zeros(20, np.int64), np.full(10, -1)])
    rows = np.concatenate([np.arange(16), np.arange(20, 23)])
    partition = np.concatenate([np.zeros(15, np.int64), [-1], np.zeros(3, np.int64)])
    # 15 shared of 16 resampled members and 18 in the cluster: Jaccard 15 / 19.
    assert stability(labels, [(rows, partition)]) == (1.0,)
    fewer = np.concatenate([np.zeros(11, np.int64), np.full(5, -1), np.zeros(3, np.int64)])
    # 11 of 19.
    assert stability(labels, [(rows, fewer)]) == (0.0,)
