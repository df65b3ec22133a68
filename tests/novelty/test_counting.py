"""Counting by density with anchors, and what all estimators share."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from owcl.errors import BadInput
from owcl.novelty.base import NO_CLUSTER
from owcl.novelty.counting.base import unseen_below
from owcl.novelty.counting.density import DensityCount, Heap, unexplained
from owcl.novelty.counting.partitions import extended, numbered
from owcl.novelty.counting.resampling import LARGEST_RESAMPLE, agreed, resample, typical
from tests.novelty.worlds import REGISTERED, world


def fitted(
    sizes: list[int], rng: np.random.Generator
) -> tuple[DensityCount, NDArray[np.float32], NDArray[np.int64]]:
    points, labels = world(sizes, rng)
    known = labels < REGISTERED
    return DensityCount(30).fit(points[known], labels[known]), points[~known], labels[~known] - REGISTERED


@pytest.mark.parametrize("sizes", [[120], [100, 150], [60, 200, 90], [40, 80, 120, 160, 2000]])
def test_separate_classes_are_counted_and_told_apart(sizes: list[int], rng: np.random.Generator) -> None:
    counter, pool, labels = fitted(sizes, rng)
    estimate = counter.estimate(pool, rng)
    assert estimate.value == len(sizes)
    assert estimate.low <= len(sizes) <= estimate.high
    clustered = estimate.labels >= 0
    assert clustered.mean() > 0.95
    pairs = set(zip(labels[clustered].tolist(), estimate.labels[clustered].tolist(), strict=True))
    assert len(pairs) == len(sizes)


def test_false_alarms_are_no_class(rng: np.random.Generator) -> None:
    points, labels = world([300], rng)
    # Eight faces in ten of the pool are new; the others lie where registered classes do.
    registered, false = labels < REGISTERED, np.flatnonzero(labels < REGISTERED)[::10]
    pool = np.concatenate([points[labels == REGISTERED], points[false]])
    counter = DensityCount(10).fit(points[registered], labels[registered])
    estimate = counter.estimate(pool, rng)
    assert estimate.value == 1
    assert (estimate.labels[300:] == NO_CLUSTER).all()


def test_a_cluster_that_false_alarms_cannot_explain_is_new_wherever_it_lies() -> None:
    def heap(size: int, looks_known: bool) -> Heap:
        return Heap(np.arange(size), looks_known)

    heaps = [heap(50, True), heap(8, True), heap(5, True), heap(9, False)]
    kept = unexplained(heaps, false_alarms=15)
    assert [len(one.rows) for one in kept] == [9, 50]


def test_a_pool_smaller_than_a_class_holds_none(rng: np.random.Generator) -> None:
    counter, pool, _ = fitted([29], rng)
    estimate = counter.estimate(pool, rng)
    assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)
    assert (estimate.labels == NO_CLUSTER).all()


def test_an_empty_pool_holds_none(rng: np.random.Generator) -> None:
    counter, pool, _ = fitted([], rng)
    assert counter.estimate(pool, rng).value == 0


def test_what_is_not_finite_is_refused(rng: np.random.Generator) -> None:
    counter, pool, _ = fitted([40], rng)
    pool[3, 5] = np.nan
    with pytest.raises(BadInput, match="1 entries of the pool are not finite"):
        counter.estimate(pool, rng)


def test_the_same_source_of_randomness_gives_the_same_estimate(rng: np.random.Generator) -> None:
    counter, pool, _ = fitted([60, 60], rng)
    first = counter.estimate(pool, np.random.default_rng(1))
    second = counter.estimate(pool, np.random.default_rng(1))
    assert first.stability == second.stability
    assert (first.labels == second.labels).all()


def test_a_small_class_beside_large_ones_is_found_in_a_pool_too_large_for_one_tree(
    rng: np.random.Generator,
) -> None:
    counter, pool, labels = fitted([4000, 4000, 40], rng)
    estimate = counter.estimate(pool, rng)
    assert estimate.value == 3
    assert len(np.unique(estimate.labels[labels == 2])) == 1


def test_an_estimate_says_how_small_a_class_may_go_unseen(rng: np.random.Generator) -> None:
    counter, pool, _ = fitted([40], rng)
    assert counter.estimate(pool, rng).evidence["unseen_below"] is None
    # Of 60,000 faces one in twenty is looked at, ten of 200.
    assert unseen_below(60_000, 30) == 200


def test_resamples_of_a_large_pool_are_small_and_hold_every_cluster(rng: np.random.Generator) -> None:
    labels = np.repeat([0, 1, NO_CLUSTER], [50_000, 60, 3_000])
    rows = resample(labels, 30, rng)
    assert len(rows) <= LARGEST_RESAMPLE
    assert (labels[rows] == 1).sum() == 48


def test_a_resample_leaves_more_than_a_class_of_each_of_many_clusters(rng: np.random.Generator) -> None:
    labels = np.repeat(np.arange(40), 60)
    assert np.bincount(labels[resample(labels, 30, rng)]).tolist() == [48] * 40


def test_clusters_below_a_size_are_none_and_the_others_are_numbered_anew() -> None:
    labels = np.array([4, 4, 4, 2, 7, 7, NO_CLUSTER])
    assert numbered(labels, 2).tolist() == [0, 0, 0, NO_CLUSTER, 1, 1, NO_CLUSTER]


@pytest.mark.parametrize(
    ("counts", "value"),
    [([3] * 14 + [2] * 6, 3), ([3] * 13 + [2] * 7, 2), ([2] * 20, 2), ([0] * 15 + [1] * 5, 0)],
)
def test_two_thirds_of_the_resamples_overrule_the_count_of_the_whole_pool(
    counts: list[int], value: int
) -> None:
    assert agreed(2, counts) == value


def test_nothing_stays_nothing_whatever_the_resamples_say() -> None:
    assert agreed(0, [1] * 20) == 0


def test_the_partition_that_the_resamples_bear_out_is_extended_to_the_whole_pool() -> None:
    points = np.array([[0], [1], [0.5], [10], [11], [10.5]], np.float32)
    one = (np.array([0, 1, 2, 3, 4, 5]), np.array([0, 0, 0, 0, 0, 0]))
    odd = (np.array([0, 1, 2, 3, 4, 5]), np.array([0, 1, 0, 1, 0, 1]))
    right = [
        (np.array([0, 1, 3, 4]), np.array([0, 0, 1, 1])),
        (np.array([0, 1, 3, 4, 5]), np.array([0, 0, 1, 1, 1])),
    ]
    labels = typical(points, [one, odd, *right], 2, 2)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_points_join_the_nearest_part_within_whose_reach_they_are() -> None:
    points = np.array([[0], [1], [10], [11], [1.3], [5]], np.float32)
    labels = extended(points, np.arange(4), np.array([0, 0, 1, 1]))
    # Centres 0.5 and 10.5; every core face is 0.5 away, so that the reach is 0.55.
    assert labels.tolist() == [0, 0, 1, 1, NO_CLUSTER, NO_CLUSTER]
    points[4] = 1.04
    assert extended(points, np.arange(4), np.array([0, 0, 1, 1]))[4] == 0
