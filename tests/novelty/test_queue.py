"""Which faces are asked about first."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from owcl.novelty.queue import most_useful


def at(*degrees: float) -> NDArray[np.float32]:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_a_face_between_two_classes_comes_before_one_at_a_centre() -> None:
    found = most_useful(at(0, 1, 2, 44, 45, 46, 88, 89, 90), at(0, 90), 1)
    assert found.rows[0] in (3, 4, 5)
    assert found.margins[0] < 0.2


def test_of_two_in_doubt_the_one_among_many_comes_first() -> None:
    crowd = np.zeros((12, 3), np.float32) + [1, 1, 0] + 0.01 * np.arange(12)[:, None] * np.array([0, 0, 1])
    lonely = np.array([[1, 1, -1.5]])
    faces = np.concatenate([lonely, crowd]).astype(np.float32)
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    found = most_useful(faces, np.eye(3, dtype=np.float32)[:2], 2)
    assert found.rows[0] != 0


def test_twins_are_not_asked_about_one_after_another() -> None:
    found = most_useful(at(44.9, 45, 45.1, 40), at(0, 90), 2)
    assert found.rows[1] == 3


def test_no_face_is_asked_about_twice_and_no_more_than_there_are(rng: np.random.Generator) -> None:
    faces = rng.normal(size=(30, 8)).astype(np.float32)
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    found = most_useful(faces, faces[:4], 50)
    assert sorted(found.rows.tolist()) == list(range(30))
    assert ((found.margins >= 0) & (found.margins <= 1)).all()


@pytest.mark.parametrize("count", [1, 2])
def test_one_class_and_one_face_are_enough(count: int) -> None:
    found = most_useful(at(*range(count)), at(0), 5)
    assert found.classes.tolist() == [0] * count
