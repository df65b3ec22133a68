"""A method that hides in a known class moves the mean of what is attributed to it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t as t_law

from owcl.novelty.shift import STEP, ShiftTest

CENTRES = 3 * np.eye(4, 12)


def faces(rng: np.random.Generator, classes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Embeddings around the centres of four classes, with the tails of five degrees of freedom."""
    return (CENTRES[classes] + rng.standard_t(5, (len(classes), 12))).astype(np.float32)


def fitted(rng: np.random.Generator) -> ShiftTest:
    classes = np.repeat([0, 1, 2, 3], 50)
    return ShiftTest(faces(rng, classes), classes)


def test_hardly_a_stream_of_known_faces_shifts(rng: np.random.Generator) -> None:
    classes = [rng.integers(4, size=1000) for _ in range(100)]
    false = [fitted(rng).first(faces(rng, one), one) is not None for one in classes]
    assert np.mean(false) <= 0.05


def test_classes_may_each_vary_in_a_direction_of_their_own() -> None:
    """Twelve classes: what all of them have in common says little of how far one goes its own way."""

    def known(count: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        classes = rng.integers(12, size=count)
        farther = 1 + 4 * np.eye(12)[classes]
        return 3 * np.eye(12)[(classes + 1) % 12] + farther * rng.standard_t(5, (count, 12)), classes

    draws = [np.random.default_rng(seed) for seed in range(40)]
    false = [ShiftTest(*known(600, rng)).first(*known(1000, rng)) is not None for rng in draws]
    assert np.mean(false) <= 0.05


def test_known_faces_may_come_one_class_after_the_other(rng: np.random.Generator) -> None:
    classes = np.repeat([2, 0, 3, 1], 250)
    false = [fitted(rng).first(faces(rng, classes), classes) is not None for _ in range(50)]
    assert np.mean(false) <= 0.05


def test_faces_that_are_each_as_near_as_known_ones_are_noticed_by_their_mean(
    rng: np.random.Generator,
) -> None:
    """Every third face after the first 400 is of a method that is taken for class 1."""
    delays = []
    for _ in range(40):
        classes = rng.integers(4, size=700)
        new = (np.arange(700) >= 400) & (np.arange(700) % 3 == 0)
        classes[new] = 1
        vectors = faces(rng, classes)
        # Moved by two standard deviations along one axis, and not farther from the centre on the whole.
        vectors[new] = CENTRES[1] + 0.7 * (vectors[new] - CENTRES[1])
        vectors[new, 7] += 2.6
        found = fitted(rng).first(vectors, classes)
        delays.append(np.inf if found is None else new[: found.position + 1].sum())
        assert found is None or found.position < 400 or found.class_id == 1
    assert np.median(delays) <= 60
    assert np.mean(np.isinf(delays)) <= 0.1


def test_even_a_few_faces_are_enough_where_all_of_them_are_new(rng: np.random.Generator) -> None:
    classes = np.full(20, 2)
    vectors = faces(rng, classes) + 4 * np.eye(12)[9].astype(np.float32)
    found = fitted(rng).first(vectors, classes)
    assert found is not None
    assert (found.position, found.class_id) == (19, 2)


def test_an_outlier_is_no_shift(rng: np.random.Generator) -> None:
    classes = rng.integers(4, size=200)
    vectors = faces(rng, classes)
    vectors[100] = 1e4
    assert fitted(rng).first(vectors, classes) is None


@pytest.mark.parametrize("classes", [np.empty(0, np.int64), np.full(60, 9), np.full(7, 1)])
def test_of_too_few_faces_and_of_other_classes_nothing_is_said(
    classes: NDArray[np.int64], rng: np.random.Generator
) -> None:
    looks = fitted(rng).p_values(np.full((len(classes), 12), 5.0), classes)
    assert looks.shape == (-(-len(classes) // STEP), 4)
    assert (looks == 1).all()


@pytest.mark.parametrize("known", [0, 1, 5])
def test_with_hardly_any_known_faces_nothing_is_said(known: int, rng: np.random.Generator) -> None:
    classes = np.arange(known)
    test = ShiftTest(np.zeros((known, 3)), classes)
    assert test.first(np.ones((50, 3)), np.zeros(50, np.int64)) is None


def test_in_one_dimension_and_one_class_it_is_the_t_test_with_the_spread_of_known_faces(
    rng: np.random.Generator,
) -> None:
    known, came = np.tile([-1.0, 1.0], 20), rng.uniform(-0.3, 0.6, 25)
    zeros = np.zeros(40, np.int64)
    found = ShiftTest(known[:, None], zeros).p_values(came[:, None], zeros[:25])
    deviations = came.mean() / (known.std(ddof=1) * np.sqrt(1 / 40 + 1 / 25))
    assert found == pytest.approx(2 * t_law.sf(abs(deviations), 39))
