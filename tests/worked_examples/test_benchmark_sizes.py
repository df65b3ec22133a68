"""Sizes of OW-DFA (example 13 of CPL) and OWDFA-40 (example 12 of CAL), on trees with 1 % of the files."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import pytest

from scenarios.layouts import owdfa40
from scenarios.layouts.benchmark import BenchmarkClass, Faces, read_faces, read_protocol

SCALE = 100


def sizes(faces: Faces, names: tuple[str, ...]) -> tuple[int, int]:
    """Return how many faces of some classes are for training and for the test."""
    training = sum(len(part.get(name, ())) for part in (faces.labelled, faces.unlabelled) for name in names)
    return training, sum(len(faces.test[name]) for name in names)


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


# OW-DFA


def marks(each: BenchmarkClass) -> list[int]:
    """Return the tags of a class's faces: labelled, unlabelled, and thrown away."""
    if each.family == "RealFace":
        return [1] * 150 + [2] * 50 if each.known else [2] * 50
    return [1] * 15 + [2] * 5 if each.known else [2] * 15 + [0] * 5


@pytest.mark.parametrize(
    ("number", "classes", "training", "test", "known_in_test"),
    [(1, 20, 27_200, 6_800, 8 / 17), (2, 22, 47_200, 11_800, 36 / 59)],
)
def test_sizes_of_owdfa(
    number: int, classes: int, training: int, test: int, known_in_test: float, tmp_path: Path
) -> None:
    protocol = read_protocol(f"owdfa-p{number}")
    annotation = touch(tmp_path / "meta_data" / f"protocol{number}_val.csv")
    with annotation.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["img_path", "method", "image_source", "tag"])
        for each in protocol.classes:
            for index, tag in enumerate(marks(each)):
                path = touch(tmp_path / each.family / each.method / each.source / f"{index}.png")
                writer.writerow([path, each.method, each.source, tag])
    faces = read_faces(protocol, tmp_path)
    names = tuple(each.name for each in protocol.classes)
    assert len(names) == classes
    assert sizes(faces, names) == (training / SCALE, test / SCALE)
    assert sizes(faces, protocol.known)[1] * SCALE / test == pytest.approx(known_in_test)


# OWDFA-40


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More faces than any budget, and a folder that is no class."""
    root = tmp_path_factory.mktemp("owdfa40")
    for each in read_protocol("owdfa40-p1").classes:
        for folder in each.folders:
            for index in range(110 if each.family == "real" else 25):
                touch(root / folder / f"{index}.jpg")
    touch(root / "x_y" / "0.jpg")
    return root


@pytest.fixture
def budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    for budget in ("KNOWN_BUDGET", "NOVEL_BUDGET", "REAL_BUDGET"):
        monkeypatch.setattr(owdfa40, budget, getattr(owdfa40, budget) // SCALE)


@pytest.mark.usefixtures("budgets")
@pytest.mark.parametrize(
    ("number", "labelled", "unlabelled", "known_unlabelled", "test_known", "test_novel"),
    [
        (1, 33_600, 37_600, 11_200, 11_200, 6_600),
        (2, 26_400, 42_400, 8_800, 8_800, 8_400),
        (3, 45_600, 29_600, 15_200, 15_200, 3_600),
    ],
)
def test_sizes_of_owdfa40(
    number: int,
    labelled: int,
    unlabelled: int,
    known_unlabelled: int,
    test_known: int,
    test_novel: int,
    tree: Path,
) -> None:
    protocol = read_protocol(f"owdfa40-p{number}")
    faces = read_faces(protocol, tree)
    known, novel = protocol.known, protocol.novel
    assert SCALE * sum(map(len, faces.labelled.values())) == labelled
    assert SCALE * sum(map(len, faces.unlabelled.values())) == unlabelled
    assert SCALE * sum(len(faces.unlabelled[name]) for name in known) == known_unlabelled
    assert SCALE * sizes(faces, known)[1] == test_known
    assert SCALE * sizes(faces, novel)[1] == test_novel
    assert {len(faces.test[name]) for name in (known[0], known[1], novel[0])} == {40, 4, 3}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_classes_of_owdfa40_are_in_the_order_of_their_folders_real_faces_first(number: int) -> None:
    classes = read_protocol(f"owdfa40-p{number}").classes
    assert classes[0].folders == ["0_Real_CelebDF", "0_Real_FF++"]
    for known in (True, False):
        numbers = [int(each.folders[0].split("_")[0]) for each in classes if each.known == known]
        assert numbers == sorted(numbers)


@pytest.mark.usefixtures("budgets")
def test_a_folder_that_is_no_class_is_left_out_and_named(
    tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        faces = read_faces(read_protocol("owdfa40-p1"), tree)
    assert "x_y: no class of owdfa40-p1, left out" in caplog.text
    every = [
        path
        for part in (faces.labelled, faces.unlabelled, faces.test)
        for paths in part.values()
        for path in paths
    ]
    assert not any("x_y" in str(path) for path in every)


def test_the_test_has_what_is_left_of_four_fifths(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owdfa40, "NOVEL_BUDGET", 13)
    protocol = read_protocol("owdfa40-p1")
    faces = read_faces(protocol, tree)
    assert {len(faces.test[name]) for name in protocol.novel} == {3}  # 13 less 10, which is 10.4 cut off
