from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from owcl.memory.prototypes import hardness, prototypes, sample_features, shared_radius
from owcl.memory.selection import herding, reservoir, stratified


@pytest.fixture
def features(rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.standard_normal((30, 4))


def streamed(pieces: list[int], capacity: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Which items of a stream are stored after it came in these pieces."""
    stored, seen = np.empty(0, np.int64), 0
    for piece in pieces:
        candidates = np.concatenate([stored, np.arange(seen, seen + piece)])
        stored = candidates[reservoir(seen, piece, capacity, rng)]
        seen += piece
    return stored


def test_a_reservoir_keeps_all_items_with_equal_chance(rng: np.random.Generator) -> None:
    runs = np.concatenate([streamed([3, 9, 1, 7], 5, rng) for _ in range(4000)])
    shares = np.bincount(runs, minlength=20) / 4000
    # Five of twenty; the standard error is 0.007.
    np.testing.assert_allclose(shares, 0.25, atol=0.03)


def test_a_reservoir_holds_each_item_once_and_no_more_than_fits(rng: np.random.Generator) -> None:
    for _ in range(50):
        stored = streamed([2, 40, 3], 6, rng)
        assert len(set(stored.tolist())) == 6
    assert sorted(streamed([2, 3], 9, rng).tolist()) == [0, 1, 2, 3, 4]


def test_herding_picks_every_face_once(features: NDArray[np.float64]) -> None:
    assert sorted(herding(features, 99).tolist()) == list(range(30))


def test_the_beginning_of_a_herd_is_the_smaller_herd(features: NDArray[np.float64]) -> None:
    np.testing.assert_array_equal(herding(features, 12)[:5], herding(features, 5))


def test_a_herd_is_nearer_to_the_mean_than_chance(
    features: NDArray[np.float64], rng: np.random.Generator
) -> None:
    mean = features.mean(axis=0)
    herd = np.linalg.norm(features[herding(features, 8)].mean(axis=0) - mean)
    by_chance = [np.linalg.norm(features[rng.permutation(30)[:8]].mean(axis=0) - mean) for _ in range(200)]
    assert herd < np.quantile(by_chance, 0.05)


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 29, 30, 50])
def test_strata_give_as_many_as_asked_and_none_twice(
    features: NDArray[np.float64], rng: np.random.Generator, count: int
) -> None:
    chosen = stratified(features, rng.random(30), features.mean(axis=0), count)
    assert len(set(chosen.tolist())) == len(chosen) == min(count, 30)


def test_strata_reach_from_the_centre_to_the_rim(
    features: NDArray[np.float64], rng: np.random.Generator
) -> None:
    centre = features.mean(axis=0)
    ranks = np.argsort(np.argsort(np.linalg.norm(features - centre, axis=1)))
    chosen = stratified(features, rng.random(30), centre, 10)
    # Five rings of six faces, two of each.
    assert np.bincount(ranks[chosen] // 6).tolist() == [2, 2, 2, 2, 2]


def test_prototypes_are_unit_means_in_order_of_the_classes() -> None:
    features = np.array([[0.0, 1.0], [1.0, 0.0], [0.6, 0.8], [0.8, 0.6]])
    expected = [[1, 0], [np.sqrt(0.5), np.sqrt(0.5)], [0, 1]]
    np.testing.assert_allclose(prototypes(features, np.array([9, 2, 4, 4])), expected)


def test_drawn_features_have_the_classes_places_spread_and_hardness(rng: np.random.Generator) -> None:
    directions = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    drawn, rows = sample_features(directions, 0.25, 60_000, rng)
    np.testing.assert_allclose(np.bincount(rows) / 60_000, hardness(directions), atol=0.006)
    np.testing.assert_allclose(drawn[rows == 1].mean(axis=0), directions[1], atol=0.006)
    assert shared_radius(drawn, rows) == pytest.approx(0.25, abs=0.01)
