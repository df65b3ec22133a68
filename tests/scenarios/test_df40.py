"""DF40 on a miniature tree in the published layout, and a preset composed from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from owcl.errors import BadInput
from scenarios.composition import composed
from scenarios.layouts.df40 import FAMILY_OF, read
from tests.scenarios.test_benchmarks import write_image

METHODS = ("simswap", "fsgan", "lia", "sadtalker", "StyleGAN3", "ddim")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for method in METHODS:
        for video in range(12):
            for frame in range(3):
                write_image(
                    tmp_path / "DF40_train" / method / "ff" / "frames" / f"{video:03d}" / f"{frame}.png", rng
                )
        write_image(tmp_path / "DF40" / method / "cdf" / "frames" / "id1_0" / "0.png", rng)
    for number in range(36):
        write_image(tmp_path / "DF40" / "e4e" / "fake" / f"{number}.png", rng)
        write_image(tmp_path / "DF40" / "e4e" / "real" / f"{number}.png", rng)
    return tmp_path


def test_methods_are_named_by_their_folders_and_real_is_one_of_them(root: Path) -> None:
    tree = read(root)
    assert set(tree.files) == {*METHODS, "e4e", "real"}
    assert (len(tree.files["simswap"]), len(tree.files["real"]), len(tree.files["e4e"])) == (37, 36, 36)
    assert tree.families["lia"] == "face reenactment"
    assert len(FAMILY_OF) == 40


def test_frames_of_a_video_are_one_group(root: Path) -> None:
    groups = {entry.group for entry in read(root).files["simswap"]}
    assert groups == {*(f"{video:03d}" for video in range(12)), "id1_0"}


def test_a_stream_can_be_composed_from_it(root: Path, tmp_path: Path) -> None:
    schedule, key = composed(read(root), "steady", tmp_path / "copies", 64, seed=0)
    assert "real" in schedule.known
    assert set(key.methods) <= {*METHODS, "e4e", "real"}
    assert sum(map(len, key.arrivals[1:])) >= 1


def test_its_families_can_come_one_after_another(root: Path, tmp_path: Path) -> None:
    _, key = composed(read(root), "families", tmp_path / "copies", 64, seed=0)
    for group in key.arrivals[1:]:
        assert {FAMILY_OF[method] for method in group} == {FAMILY_OF[group[0]]}


def test_a_folder_that_is_no_method_is_named(root: Path) -> None:
    (root / "DF40" / "simswop").mkdir()
    with pytest.raises(BadInput, match="simswop: no method of DF40 has this name"):
        read(root)


def test_an_empty_tree_is_told_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"0 methods with images\. DF40_train/<method>/ and DF40/<method>/"):
        read(tmp_path)
