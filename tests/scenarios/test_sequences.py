"""Faces edited in a known order: what is changed, and that people stay in one split."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from owcl.errors import BadInput
from scenarios.layouts.seqdeepfake import EditedFaces, read
from scenarios.mechanisms.base import Subject
from scenarios.rendered.face import render
from scenarios.sequences.build import Order, Photographed, build
from scenarios.sequences.edits import COMPONENTS, edited


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("edited") / "tree", count=120, size=48)


@pytest.fixture(scope="module")
def faces(tree: Path) -> EditedFaces:
    return read(tree)


def subject(seed: int) -> Subject:
    rng = np.random.default_rng(seed)
    return Subject(*render(64, rng), *render(64, rng))


def test_every_split_has_its_share_and_genuine_faces(faces: EditedFaces) -> None:
    assert {split: len(found) for split, found in faces.splits.items()} == {
        "train": 84,
        "val": 12,
        "test": 24,
    }
    genuine = [face for face in faces.splits["train"] if not any(face.row)]
    assert 0.1 < len(genuine) / 84 < 0.4


def test_a_mask_shows_the_components_of_the_label_and_no_other(faces: EditedFaces) -> None:
    for face in faces.splits["test"]:
        bits = int(np.bitwise_or.reduce(np.asarray(Image.open(face.mask)), axis=None))
        assert {label for label in range(1, 6) if bits >> (label - 1) & 1} == set(face.row) - {0}


def test_what_is_edited_first_has_less_of_the_finest_detail() -> None:
    nose, lip = COMPONENTS.index("nose") + 1, COMPONENTS.index("lip") + 1
    gains = [_detail_of(nose, [lip, nose], seed) / _detail_of(nose, [nose, lip], seed) for seed in range(20)]
    assert np.median(gains) > 1.1


def _detail_of(component: int, sequence: list[int], seed: int) -> float:
    """Edit a face; return the energy of the Laplacian where one component was edited."""
    image, mask = edited(subject(seed), sequence, np.random.default_rng(seed))
    detail = cv2.Laplacian(np.ascontiguousarray(image), cv2.CV_32F)
    return float((detail[(mask >> (component - 1)) & 1 == 1] ** 2).mean())


def test_what_is_edited_differs_more_than_what_is_only_saved() -> None:
    before = subject(2)
    after, mask = edited(before, [2], np.random.default_rng(0))
    change = np.abs(after - before.image).mean(axis=2)
    assert change[mask > 0].mean() > 2 * change[mask == 0].mean()


def test_the_same_seed_makes_the_same_faces(tree: Path, tmp_path: Path) -> None:
    again = build(tmp_path / "again", count=120, size=48)
    names = [path.relative_to(tree) for path in sorted(tree.rglob("*.png"))]
    assert names
    assert all((tree / name).read_bytes() == (again / name).read_bytes() for name in names)


def test_photographs_of_the_test_are_in_no_other_split() -> None:
    class Noted:
        sources = tuple(map(str, range(40)))

        def __init__(self) -> None:
            self.seen: set[int] = set()

        def cut_out(self, photograph: int, rng: np.random.Generator) -> np.ndarray:
            self.seen.add(photograph)
            return np.zeros((8, 8, 3), np.float32)

    seen = {}
    for split in ("train", "val", "test"):
        cuts = Noted()
        for index in range(300):
            Photographed(cuts)(Order(split, index, (0,) * 5), np.random.default_rng(index))  # type: ignore[arg-type]
        seen[split] = cuts.seen
    assert set.union(*seen.values()) == set(range(40))
    assert sum(map(len, seen.values())) == 40


def test_photographs_can_be_edited(tmp_path: Path, portraits: Path) -> None:
    found = read(build(tmp_path / "tree", faces=portraits, count=100, size=32))
    assert sum(map(len, found.splits.values())) == 100


def test_too_few_photographs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    with pytest.raises(BadInput, match="0 readable photographs"):
        build(tmp_path / "tree", faces=tmp_path / "few", count=100)
    assert not (tmp_path / "tree").exists()
