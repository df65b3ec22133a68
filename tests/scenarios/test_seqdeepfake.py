"""The layout of Seq-DeepFake on a miniature tree: what is read, and what a wrong tree is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from owcl.errors import BadInput
from scenarios.composition import composed
from scenarios.layouts.seqdeepfake import TRACKS, as_methods, read, sequence_folder
from tests.scenarios.test_benchmarks import write_image

ROWS = [("original", "[0, 0, 0, 0, 0]"), ("eye-lip-nose", "[2, 4, 1, 0, 0]")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    track = tmp_path / "facial_components"
    (track / "annotations").mkdir(parents=True)
    for split in ("train", "val", "test"):
        lines = ["file_path,label"]
        for folder, label in ROWS:
            path = track / "images" / split / folder / "000001.jpg"
            path.parent.mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(path)
            lines.append(f'{path.relative_to(tmp_path)},"{label}"')
        (track / "annotations" / f"{split}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def annotate(root: Path, text: str) -> None:
    (root / "facial_components" / "annotations" / "val.csv").write_text(text, encoding="utf-8")


def test_faces_and_their_histories_are_read(root: Path) -> None:
    tree = read(root)
    assert tree.labels == ("nose", "eye", "eyebrow", "lip", "hair")
    assert [face.row for face in tree.splits["test"]] == [(0, 0, 0, 0, 0), (2, 4, 1, 0, 0)]
    assert tree.splits["test"][1].mask == root / "facial_components/masks/test/eye-lip-nose/000001.png"


def test_faces_that_lie_in_no_folder_of_images_have_no_masks(root: Path) -> None:
    (root / "facial_components" / "images").rename(root / "facial_components" / "faces")
    for annotation in (root / "facial_components" / "annotations").iterdir():
        annotation.write_text(annotation.read_text(encoding="utf-8").replace("/images/", "/faces/"))
    assert [face.mask for face in read(root).splits["test"]] == [None, None]


def test_a_sequence_is_a_method_and_faces_of_one_original_are_a_group(root: Path) -> None:
    tree = as_methods(read(root))
    assert {method: len(entries) for method, entries in tree.files.items()} == {"real": 3, "eye-lip-nose": 3}
    assert tree.families == {"real": "real", "eye-lip-nose": "edits: 3"}
    assert {entry.group for entries in tree.files.values() for entry in entries} == {"000001"}


@pytest.mark.parametrize(("preset", "experiences"), [("families", 3), ("offline", 1)])
def test_sequences_come_by_the_number_of_edits_or_all_at_once(
    preset: str, experiences: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    rows = [(), (1,), (2,), (3,), (4,), (1, 2), (2, 1), (3, 4), (1, 2, 3), (4, 3, 2)]
    track = tmp_path / "facial_components"
    (track / "annotations").mkdir(parents=True)
    lines = {split: ["file_path,label"] for split in ("train", "val", "test")}
    for edits in rows:
        row = (*edits, *[0] * (5 - len(edits)))
        for number in range(40):
            split = ("train", "train", "val", "test")[number % 4]
            folder = sequence_folder(row, TRACKS["facial_components"])
            path = track / "images" / split / folder / f"{number:06d}.png"
            write_image(path, rng)
            lines[split].append(f'{path.relative_to(tmp_path)},"{list(row)}"')
    for split, written in lines.items():
        (track / "annotations" / f"{split}.csv").write_text("\n".join(written) + "\n", encoding="utf-8")
    tree = as_methods(read(tmp_path))
    schedule, key = composed(tree, preset, tmp_path / "copies", 64, seed=0)
    assert "real" in schedule.known
    assert len(schedule.experiences) == 1 + experiences
    assert set(key.methods) == set(tree.files)
    if preset == "families":
        assert all(len({tree.families[method] for method in group}) == 1 for group in key.arrivals[1:])


def test_of_two_tracks_one_must_be_named(root: Path) -> None:
    (root / "facial_attributes").mkdir()
    with pytest.raises(BadInput, match="there are both facial_components or facial_attributes"):
        read(root)
    assert len(read(root, "facial_components").splits) == 3


def test_a_missing_track_annotation_or_column_is_named(root: Path) -> None:
    with pytest.raises(BadInput, match="there is no facial_attributes"):
        read(root, "facial_attributes")
    annotate(root, "path,label\n")
    with pytest.raises(BadInput, match=r"val\.csv: the column file_path is missing"):
        read(root)
    (root / "facial_components" / "annotations" / "val.csv").unlink()
    with pytest.raises(BadInput, match=r"val\.csv: the annotation is missing"):
        read(root)


def test_an_annotation_that_is_not_unicode_is_refused_and_a_byte_order_mark_is_not(root: Path) -> None:
    annotate(root, "\ufefffile_path,label\n")
    assert read(root).splits["val"] == []
    path = root / "facial_components" / "annotations" / "val.csv"
    path.write_bytes(b"file_path,label\ncaf\xe9.png,0\n")
    with pytest.raises(BadInput, match=r"val.csv: not CSV in UTF-8"):
        read(root)


@pytest.mark.parametrize(
    "label", ["[2, 4, 1]", "[2, 2, 0, 0, 0]", "[0, 2, 0, 0, 0]", "[6, 0, 0, 0, 0]", "eye", "7", ""]
)
def test_a_label_that_is_no_sequence_is_shown_with_its_line(root: Path, label: str) -> None:
    annotate(root, f'file_path,label\nfacial_components/images/val/original/000001.jpg,"{label}"\n')
    with pytest.raises(BadInput, match=r"val\.csv, line 2: the label .* is no sequence"):
        read(root)


def test_a_label_must_agree_with_the_folder(root: Path) -> None:
    annotate(root, 'file_path,label\nfacial_components/images/val/original/000001.jpg,"[2, 4, 1, 0, 0]"\n')
    with pytest.raises(BadInput, match="lies in original, but its label says eye-lip-nose"):
        read(root)


def test_all_missing_images_are_counted_at_once(root: Path) -> None:
    for path in (root / "facial_components" / "images").rglob("*.jpg"):
        path.unlink()
    with pytest.raises(BadInput, match=r"6 images of the annotation are not there: .* and 1 more"):
        read(root)
