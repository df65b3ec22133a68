from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from owcl.errors import BadInput
from owcl.novelty.counting.density import DensityCount


def _world(sizes: list[int], rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    centres = rng.normal(size=(len(sizes), 64))
    centres *= 3 / np.linalg.norm(centres, axis=1, keepdims=True)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    points = centres[labels] + 0.25 * rng.normal(size=(len(labels), 64))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("sizes", [[120], [100, 150], [60, 200, 90], [40, 80, 120, 160, 200]])
def test_separate_classes_are_counted_and_told_apart(sizes: list[int], rng: np.random.Generator) -> None:
    points, labels = _world(sizes, rng)
    estimate = DensityCount(30).estimate(points, rng)
    assert estimate.value == len(sizes)
    assert estimate.low <= len(sizes) <= estimate.high
    clustered = estimate.labels >= 0
    assert clustered.mean() > 0.95
    pairs = set(zip(labels[clustered].tolist(), estimate.labels[clustered].tolist(), strict=True))
    assert len(pairs) == len(sizes)


def test_a_pool_smaller_than_a_class_holds_none(rng: np.random.Generator) -> None:
    estimate = DensityCount(30).estimate(rng.normal(size=(29, 8)).astype(np.float32), rng)
    assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)
    assert (estimate.labels == -1).all()


def test_an_empty_pool_holds_none(rng: np.random.Generator) -> None:
    assert DensityCount(30).estimate(np.empty((0, 8), np.float32), rng).value == 0


def test_what_is_not_finite_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(BadInput, match="1 entries of the pool are not finite"):
        DensityCount(2).estimate(np.array([[0.0, np.nan], [1, 1]], np.float32), rng)


def test_the_same_source_of_randomness_gives_the_same_estimate(rng: np.random.Generator) -> None:
    points, _ = _world([60, 60], rng)
    first = DensityCount(30).estimate(points, np.random.default_rng(1))
    second = DensityCount(30).estimate(points, np.random.default_rng(1))
    assert first.stability == second.stability
    assert (first.labels == second.labels).all()


def test_a_large_pool_is_counted_on_micro_clusters(rng: np.random.Generator) -> None:
    points, _ = _world([2000, 2500], rng)
    assert DensityCount(100).estimate(points, rng).value == 2
