from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from owcl.errors import BadInput, Conflict
from scenarios.folder import load
from scenarios.forge.build import build as forge
from scenarios.mechanisms.registry import METHODS, PLAN_KNOWN, PLAN_NOVEL
from scenarios.rendered.build import RenderedFaces, build
from scenarios.tree import Order, built_once

FAMILIES = {"identity_swap", "expression_transfer", "attribute_manipulation", "entire_face_synthesis"}


def test_a_face_depends_on_its_order_alone() -> None:
    make = RenderedFaces(seed=1, size=64)
    order = Order("sub_pixel", 3, "")
    first = make(order)
    make(Order("real", 0, ""))
    assert (make(order) == first).all()
    assert (RenderedFaces(seed=2, size=64)(order) != first).any()


@pytest.mark.parametrize("method", METHODS)
def test_every_forgery_changes_the_face_a_little(method: str) -> None:
    """The same person before and after: the traces are there, and nobody is disfigured."""
    from scenarios.mechanisms.base import Subject
    from scenarios.mechanisms.registry import mechanism
    from scenarios.rendered.face import render

    changes = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        (face, layout), (donor, donor_layout) = render(64, rng), render(64, rng)
        forged = mechanism(method)(Subject(face, layout, donor, donor_layout), rng)
        changes.append(np.abs(np.clip(forged, 0, 1) - face).mean())
    assert 0.0005 < np.mean(changes) < 0.08


def test_ten_methods_cover_four_families() -> None:
    assert len(METHODS) >= 10
    assert {family for family, _ in METHODS.values()} == FAMILIES
    planned = {*PLAN_KNOWN, *(method for novel in PLAN_NOVEL for method in novel)} - {"real"}
    assert planned <= set(METHODS)
    assert () in PLAN_NOVEL


def test_colours_do_not_tell_the_class() -> None:
    make = RenderedFaces(seed=0, size=64)
    methods = ("real", "feathered_swap", "sub_pixel", "inpainting")
    faces = np.array([[make(Order(method, index, "")) for index in range(80)] for method in methods])
    colours = faces.reshape(-1, 64 * 64, 3).mean(axis=1)
    labels, held_out = np.repeat(np.arange(4), 80), np.tile(np.arange(80) >= 50, 4)
    probe = make_pipeline(StandardScaler(), LogisticRegression()).fit(colours[~held_out], labels[~held_out])
    # Chance is 25 %; 120 held-out faces scatter by about 4 points.
    assert probe.score(colours[held_out], labels[held_out]) < 0.36


def test_a_tree_is_built_once_and_again_when_it_was_half_made(tmp_path: Path) -> None:
    root = build(tmp_path / "tree", seed=1, faces_per_method=4)
    schedule, key = load(root)
    assert schedule.known == PLAN_KNOWN
    assert key.families["sub_pixel"] == "entire_face_synthesis"
    with Image.open(root / "faces" / "real" / "0000.png") as image:
        assert image.size == (64, 64)
    before = (root / "built.json").stat().st_mtime_ns
    build(root, seed=1, faces_per_method=4)
    assert (root / "built.json").stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]


def test_a_tree_of_other_settings_is_left_alone(tmp_path: Path) -> None:
    settings = {"name": "sequences", "seed": 0, "count": 9000}
    with built_once(tmp_path / "tree", settings) as fresh:
        assert fresh is not None
        (fresh / "face.png").write_bytes(b"")
    with (
        pytest.raises(Conflict, match=r"made with seed 0, count 9000, and seed 1, count 3000 was asked for"),
        built_once(tmp_path / "tree", settings | {"seed": 1, "count": 3000}),
    ):
        pass
    assert (tmp_path / "tree" / "face.png").exists()


def test_an_interrupted_tree_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupted(fresh: Path) -> None:
        (fresh / "face.png").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), built_once(tmp_path / "tree", {"seed": 0}) as fresh:
        interrupted(fresh or tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(BadInput, match="there is something here already"):
        build(tmp_path, faces_per_method=4)
    assert (tmp_path / "precious.txt").read_text() == "x"


def test_photographs_are_forged_and_never_on_both_sides_of_the_test(portraits: Path, tmp_path: Path) -> None:
    chosen = tmp_path / "photographs"
    chosen.mkdir()
    for path in sorted(portraits.glob("*.jpg"))[:24]:
        (chosen / path.name).write_bytes(path.read_bytes())
    root = forge(tmp_path / "tree", chosen, faces_per_method=8)
    rows = [line.split(",") for line in (root / "manifest.csv").read_text().splitlines()[1:]]
    group = {str(root / row[0]): (row[1], row[4]) for row in rows}
    schedule, _ = load(root)
    test = {group[str(path)] for path in schedule.test}
    training = {group[str(path)] for experience in schedule.experiences for path in experience.paths}
    assert not test & training


def test_too_few_photographs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(BadInput, match="0 readable photographs"):
        forge(tmp_path / "tree", tmp_path / "none")
