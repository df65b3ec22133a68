"""Counting in the metric and on the scale of the registered classes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from owcl.novelty.base import NO_CLUSTER
from owcl.novelty.counting.scaled_density import (
    ScaledDensityCount,
    fused,
    separation,
)

QUIET = 0.1
"""Standard deviation of the directions in which methods leave their traces."""


def points_around(centres: list[list[float]], each: int, rng: np.random.Generator) -> np.ndarray:
    """Two loud directions of pose and light, then four quiet ones."""
    scales = np.array([3.0, 3.0, QUIET, QUIET, QUIET, QUIET])
    stacked = np.repeat(np.array(centres), each, axis=0)
    return (np.pad(stacked, ((0, 0), (2, 0))) + scales * rng.standard_normal((len(stacked), 6))).astype(
        np.float32
    )


@pytest.fixture
def registered(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Three methods, 1.5 apart in the quiet directions, which is fifteen standard deviations."""
    centres = [[0.0, 0, 0, 0], [1.5, 0, 0, 0], [0, 1.5, 0, 0]]
    return points_around(centres, 150, rng), np.repeat([1, 2, 3], 150)


def test_the_modes_of_one_method_are_one_class(
    registered: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> None:
    modes = points_around([[0, 0, 2.0, 0], [0, 0, 2.7, 0], [0, 0, 2.35, 0.6]], 80, rng)
    estimate = ScaledDensityCount().fit(*registered).estimate(modes, np.random.default_rng(1))
    assert estimate.value == 1
    assert estimate.stability == (1.0,)


def test_two_methods_in_the_same_pool_are_two(
    registered: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> None:
    pool = points_around([[0, 0, 2.0, 0], [0, 0, 0, 2.0]], 120, rng)
    estimate = ScaledDensityCount().fit(*registered).estimate(pool, np.random.default_rng(1))
    assert estimate.value == 2
    assert adjusted_rand_score(np.repeat([0, 1], 120), estimate.labels) > 0.95


def test_a_pool_too_small_for_a_class_holds_none(registered: tuple[np.ndarray, np.ndarray]) -> None:
    estimate = ScaledDensityCount(30).fit(*registered).estimate(registered[0][:29], np.random.default_rng(1))
    assert (estimate.value, estimate.high) == (0, 0)


def test_separation_counts_standard_deviations_along_the_line_of_the_centres() -> None:
    # Centres 10 apart along x; variances there are 4 and 16, of mean 10; what varies along y does not count.
    first = np.array([[-2, 5], [2, 5], [-2, -5], [2, -5]], np.float32)
    second = np.array([[6, 0], [14, 0]], np.float32)
    assert separation(first, second) == pytest.approx(10 / np.sqrt(10))
    assert separation(first, first) == 0


def test_clusters_are_fused_from_the_closest_on_and_numbered_anew() -> None:
    line = np.array([[-1], [1], [5], [7], [99], [101], [50]], np.float32)
    labels = np.array([0, 0, 1, 1, 2, 2, NO_CLUSTER])
    assert fused(line, labels, 10).tolist() == [0, 0, 0, 0, 1, 1, NO_CLUSTER]
    assert fused(line, labels, 5).tolist() == labels.tolist()
    assert fused(line, labels, 1000).tolist() == [0, 0, 0, 0, 0, 0, NO_CLUSTER]
