"""A cluster of two modes of one method stays whole, and one of two methods does not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from owcl.novelty.base import NO_CLUSTER, CountEstimate
from owcl.novelty.counting.spectral_division import SpectralDivision

Points = NDArray[np.float32]
SMALLEST = 20


def heap(rng: np.random.Generator, size: int, axis: int, place: float) -> Points:
    """Points in twelve dimensions around a place on one axis."""
    return (rng.standard_normal((size, 12)) + place * np.eye(12)[axis]).astype(np.float32)


@pytest.fixture
def division(rng: np.random.Generator) -> SpectralDivision:
    """Of four registered classes of one mode each."""
    vectors = np.concatenate([heap(rng, 100, axis, 8) for axis in range(4)])
    spectra = np.concatenate([heap(rng, 100, axis, 5) for axis in range(4)])
    return SpectralDivision(vectors, spectra, np.repeat([1, 2, 3, 4], 100))


def estimate(sizes: tuple[int, ...], outside: int = 0) -> CountEstimate:
    """Of clusters of these sizes, and faces that are in none."""
    labels = np.repeat([*range(len(sizes)), NO_CLUSTER], [*sizes, outside]).astype(np.int64)
    count = len(sizes)
    return CountEstimate(count, count, count, labels, tuple(0.9 - 0.1 * n for n in range(count)), {"pool": 1})


def test_halves_with_different_spectra_are_two_methods(
    division: SpectralDivision, rng: np.random.Generator
) -> None:
    vectors = np.concatenate(
        [heap(rng, 90, 5, 8), heap(rng, 60, 6, 8), heap(rng, 50, 7, 8), heap(rng, 9, 8, 8)]
    )
    spectra = np.concatenate([heap(rng, 90, 5, 5), heap(rng, 119, 6, 5)])
    found = division.divided(estimate((150, 50), outside=9), vectors, spectra, SMALLEST, rng)
    assert (found.value, found.high, found.low) == (3, 3, 2)
    assert found.stability == (0.9, 0.8, 0.9)
    assert found.evidence == {"pool": 1, "divided_by_spectra": 1}
    assert len(set(found.labels[:90].tolist())) == len(set(found.labels[90:150].tolist())) == 1
    assert found.labels[0] != found.labels[90]
    assert (found.labels[150:200] == 1).all()
    assert (found.labels[200:] == NO_CLUSTER).all()


def test_modes_with_one_spectrum_are_one_method(division: SpectralDivision, rng: np.random.Generator) -> None:
    vectors = np.concatenate([heap(rng, 90, 5, 12), heap(rng, 60, 6, 12)])
    found = division.divided(estimate((150,)), vectors, heap(rng, 150, 5, 5), SMALLEST, rng)
    assert found.value == 1
    assert found.evidence["divided_by_spectra"] == 0


def test_two_spectra_in_one_heap_are_one_method(division: SpectralDivision, rng: np.random.Generator) -> None:
    spectra = np.concatenate([heap(rng, 75, 5, 5), heap(rng, 75, 6, 5)])
    assert division.divided(estimate((150,)), heap(rng, 150, 5, 8), spectra, SMALLEST, rng).value == 1


def test_three_methods_in_one_cluster_are_told_apart(
    division: SpectralDivision, rng: np.random.Generator
) -> None:
    vectors = np.concatenate([heap(rng, 60, axis, 9) for axis in (5, 6, 7)])
    spectra = np.concatenate([heap(rng, 60, axis, 6) for axis in (5, 6, 7)])
    found = division.divided(estimate((180,)), vectors, spectra, SMALLEST, rng)
    assert found.value == 3
    assert sorted(np.bincount(found.labels).tolist()) == [60, 60, 60]


@pytest.mark.parametrize(("few", "whole"), [(SMALLEST - 1, frozenset()), (60, frozenset({0}))])
def test_a_part_too_small_for_a_class_and_a_cluster_that_is_to_stay_whole_are_left(
    few: int, whole: frozenset[int], division: SpectralDivision, rng: np.random.Generator
) -> None:
    vectors = np.concatenate([heap(rng, 90, 5, 8), heap(rng, few, 6, 8)])
    spectra = np.concatenate([heap(rng, 90, 5, 5), heap(rng, few, 6, 5)])
    assert division.divided(estimate((90 + few,)), vectors, spectra, SMALLEST, rng, whole).value == 1


def test_where_no_registered_class_has_faces_enough_to_be_halved_nothing_is_divided(
    rng: np.random.Generator,
) -> None:
    few = np.concatenate([heap(rng, 10, axis, 8) for axis in range(4)])
    division = SpectralDivision(few, few, np.repeat([1, 2, 3, 4], 10))
    vectors = np.concatenate([heap(rng, 90, 5, 8), heap(rng, 60, 6, 8)])
    assert division.divided(estimate((150,)), vectors, vectors, SMALLEST, rng).value == 1
