"""How many different pictures there are, on real photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from owcl.faces.likeness import different_pictures
from owcl.faces.reposting import reposted_views


@pytest.fixture(scope="module")
def photographs(forge64: Path) -> NDArray[np.uint8]:
    paths = sorted((forge64 / "faces" / "real").iterdir())[:60]
    return np.stack([np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1) for path in paths])


def test_faces_of_people_are_different_pictures(photographs: NDArray[np.uint8]) -> None:
    assert len(different_pictures(photographs, 1000)) == 60
    assert len(different_pictures(photographs, 30)) == 30
    assert len(different_pictures(photographs[:0], 30)) == 0


def test_copies_of_one_picture_are_one_whatever_was_done_to_them(
    photographs: NDArray[np.uint8], rng: np.random.Generator
) -> None:
    for one in photographs[:5]:
        assert len(different_pictures(reposted_views(np.repeat(one[None], 60, axis=0), rng), 30)) == 1


def test_a_photograph_and_its_copy_are_one_among_others(
    photographs: NDArray[np.uint8], rng: np.random.Generator
) -> None:
    both = np.concatenate([photographs, reposted_views(photographs, rng)])
    assert len(different_pictures(rng.permutation(both), 1000)) == 60


def test_faces_of_one_brightness_all_over_are_one_picture() -> None:
    blank = np.repeat(np.arange(0, 200, 10, dtype=np.uint8), 3 * 48 * 48).reshape(20, 3, 48, 48)
    assert len(different_pictures(blank, 30)) == 1
