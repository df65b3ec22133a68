"""Counting in the metric and on the scale of the registered classes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from owcl.novelty.base import NO_CLUSTER
from owcl.novelty.counting.scaled_density import ScaledDensityCount, halves, separation

Registered = tuple[np.ndarray, np.ndarray]
QUIET = 0.1
"""Standard deviation of the directions in which methods leave their traces."""


def points_around(centres: list[list[float]], each: int, rng: np.random.Generator) -> np.ndarray:
    """Two loud directions of pose and light, then four quiet ones."""
    scales = np.array([1.0, 1.0, QUIET, QUIET, QUIET, QUIET])
    stacked = np.repeat(np.array(centres), each, axis=0)
    return (np.pad(stacked, ((0, 0), (2, 0))) + scales * rng.standard_normal((len(stacked), 6))).astype(
        np.float32
    )


@pytest.fixture
def registered(rng: np.random.Generator) -> Registered:
    """Three methods, 1.5 apart in the quiet directions, which is fifteen standard deviations."""
    centres = [[0.0, 0, 0, 0], [1.5, 0, 0, 0], [0, 1.5, 0, 0]]
    return points_around(centres, 150, rng), np.repeat([1, 2, 3], 150)


def test_two_methods_in_the_same_pool_are_two(registered: Registered, rng: np.random.Generator) -> None:
    pool = points_around([[0, 0, 2.0, 0], [0, 0, 0, 2.0]], 120, rng)
    estimate = ScaledDensityCount().fit(*registered).estimate(pool, np.random.default_rng(1))
    assert estimate.value == 2
    assert adjusted_rand_score(np.repeat([0, 1], 120), estimate.labels) > 0.95
    assert min(estimate.stability) > 0.9


def test_the_modes_of_one_method_are_one_class(registered: Registered, rng: np.random.Generator) -> None:
    # Half a unit is five standard deviations of a quiet direction, and one half of a loud one.
    modes = points_around([[0, 0, 2.0, 0], [0, 0, 2.0, 0.5]], 120, rng)
    estimate = ScaledDensityCount().fit(*registered).estimate(modes, np.random.default_rng(1))
    assert estimate.value == 1


def test_strays_too_few_to_be_a_class_are_of_one_only_where_they_are_near(
    registered: Registered, rng: np.random.Generator
) -> None:
    counter = ScaledDensityCount().fit(*registered)
    for away, near in ((0.3, True), (0.65, False)):
        strays = points_around([[0, 0, 2.0, away]], 14, rng)
        pool = np.concatenate([points_around([[0, 0, 2.0, 0]], 120, rng), strays])
        labels = counter.clustered(pool, np.random.default_rng(1))
        assert (labels[:120] == 0).mean() > 0.95
        assert (labels[120:] == (0 if near else NO_CLUSTER)).mean() > 0.9


def test_a_heap_as_loose_as_everything_together_is_no_class(
    registered: Registered, rng: np.random.Generator
) -> None:
    junk = 3 * rng.standard_normal((150, 6)).astype(np.float32)
    estimate = ScaledDensityCount().fit(*registered).estimate(junk, np.random.default_rng(1))
    assert estimate.value == 0


def test_the_evidence_holds_both_limits_and_the_scale_between_them(
    registered: Registered, rng: np.random.Generator
) -> None:
    pool = points_around([[0, 0, 2.0, 0]], 60, rng)
    evidence = ScaledDensityCount().fit(*registered).estimate(pool, np.random.default_rng(1)).evidence
    assert evidence["within"] < evidence["apart"] < evidence["between"]


def test_one_registered_class_in_two_modes_does_not_set_the_scale(rng: np.random.Generator) -> None:
    centres = [[3.0 * number, 0, 0, 0] for number in range(8)]
    of_one_mode = points_around(centres, 80, rng)
    of_two = of_one_mode.copy()
    of_two[::2, 5] += np.where(np.arange(320) < 40, 4.0, 0.0)
    labels = np.repeat(np.arange(8), 80)
    plain, odd = (ScaledDensityCount().fit(points, labels).scale() for points in (of_one_mode, of_two))
    assert odd["within"] == pytest.approx(plain["within"], rel=0.1)


def test_one_registered_class_is_enough_to_begin_with(rng: np.random.Generator) -> None:
    known = points_around([[0.0, 0, 0, 0]], 100, rng)
    pool = points_around([[0, 0, 2.0, 0], [0, 2.0, 0, 0]], 100, rng)
    counter = ScaledDensityCount().fit(known, np.zeros(100, np.int64))
    assert counter.scale()["between"] == pytest.approx(2 * counter.scale()["within"], abs=2e-3)
    assert counter.estimate(pool, np.random.default_rng(1)).value <= 2


def test_a_pool_too_small_for_a_class_holds_none(registered: Registered) -> None:
    estimate = ScaledDensityCount(30).fit(*registered).estimate(registered[0][:29], np.random.default_rng(1))
    assert (estimate.value, estimate.high) == (0, 0)
    assert (estimate.labels == NO_CLUSTER).all()


def test_separation_counts_standard_deviations_along_the_line_of_the_centres() -> None:
    # Centres 10 apart along x; variances there are 4 and 16, of mean 10; what varies along y does not count.
    first = np.array([[-2, 5], [2, 5], [-2, -5], [2, -5]], np.float32)
    second = np.array([[6, 0], [14, 0]], np.float32)
    assert separation(first, second) == pytest.approx(10 / np.sqrt(10))
    assert separation(first, first) == 0


def test_halves_of_two_heaps_are_the_heaps(rng: np.random.Generator) -> None:
    heaps = np.repeat([0.0, 9.0], 40)[:, None] + rng.standard_normal((80, 3))
    sides, apart = halves(heaps, rng)
    assert len(set(sides[:40])) == len(set(sides[40:])) == 1
    assert sides[0] != sides[-1]
    # Three directions of nine units each: 15.6, and deviations of about one.
    assert apart == pytest.approx(9 * np.sqrt(3), rel=0.25)
