"""Which faces are asked about first."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from owcl.novelty.queue import most_useful

FIRST, SECOND, NONE = 0, 1, -1


def at(*degrees: float) -> NDArray[np.float32]:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def scores(*shares: float) -> NDArray[np.float64]:
    """Scores of two classes, the first of which is as likely as given."""
    first = np.array(shares)
    return np.stack([first, 1 - first], axis=1)


def standing(*columns: int) -> NDArray[np.int64]:
    return np.array(columns, np.int64)


def test_a_face_that_looks_like_another_class_comes_before_one_between_two() -> None:
    found = most_useful(at(0, 10, 20), scores(1.0, 0.5, 0.1), standing(FIRST, FIRST, FIRST), 3)
    assert found.rows.tolist() == [2, 1, 0]
    assert found.rivals.tolist() == [SECOND] * 3
    assert found.doubts == pytest.approx([0.9, 0.5, 0.0])


def test_a_face_in_no_class_is_asked_about_the_more_it_looks_like_one() -> None:
    found = most_useful(at(0, 10), scores(0.55, 0.95), standing(NONE, NONE), 2)
    assert found.rows.tolist() == [1, 0]
    assert found.rivals.tolist() == [FIRST, FIRST]
    assert found.doubts == pytest.approx([0.975, 0.775])


def test_of_two_in_doubt_the_one_among_many_comes_first() -> None:
    crowd = np.zeros((12, 3), np.float32) + [1, 1, 0] + 0.01 * np.arange(12)[:, None] * np.array([0, 0, 1])
    lonely = np.array([[1, 1, -1.5]])
    faces = np.concatenate([lonely, crowd]).astype(np.float32)
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    found = most_useful(faces, scores(*[0.5] * 13), standing(*[FIRST] * 13), 2)
    assert found.rows[0] != 0


def test_twins_are_not_asked_about_one_after_another() -> None:
    found = most_useful(at(44.9, 45, 45.1, 60), scores(0.2, 0.1, 0.2, 0.4), standing(*[FIRST] * 4), 2)
    assert found.rows.tolist() == [1, 3]


def test_no_face_is_asked_about_twice_and_no_more_than_there_are(rng: np.random.Generator) -> None:
    faces = rng.normal(size=(30, 8)).astype(np.float32)
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    found = most_useful(faces, rng.random((30, 4)), rng.integers(-1, 4, 30), 50)
    assert sorted(found.rows.tolist()) == list(range(30))
    assert ((found.doubts >= 0) & (found.doubts <= 1)).all()


def test_of_many_copies_of_one_picture_each_is_asked_about_once() -> None:
    found = most_useful(at(*[0] * 80), scores(*[0.5] * 80), standing(*[FIRST] * 80), 80)
    assert sorted(found.rows.tolist()) == list(range(80))


@pytest.mark.parametrize("count", [1, 2])
def test_one_class_leaves_nothing_to_doubt(count: int) -> None:
    found = most_useful(at(*range(count)), np.ones((count, 1)), standing(*[FIRST] * count), 5)
    assert found.doubts.tolist() == [0] * count
