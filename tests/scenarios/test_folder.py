from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from owcl.errors import BadInput
from scenarios.folder import load

PLAN = """
name = "small"
image_size = 8
test_fraction = 0.25
seed = 3
known = ["real", "gan"]
labelled_fraction = 0.5
[[experience]]
novel = ["swap"]
novel_per_class = 10
seen_per_class = 2
[[experience]]
novel = []
seen_per_class = 1
"""

Grow = Callable[..., Path]


@pytest.fixture
def grow(tmp_path: Path) -> Grow:
    def make(
        plan: str | None = PLAN, methods: tuple[str, ...] = ("real", "gan", "swap"), count: int = 20
    ) -> Path:
        for method in methods:
            folder = tmp_path / "faces" / method
            folder.mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (8, 8), (index, len(method), 0)).save(folder / f"{index:02d}.png")
        if plan is not None:
            (tmp_path / "stream.toml").write_text(plan)
        return tmp_path

    return make


def test_a_stream_has_labels_in_its_first_experience_alone(grow: Grow) -> None:
    schedule, _ = load(grow())
    assert [len(experience.paths) for experience in schedule.experiences] == [16, 14, 3]
    assert [experience.labels is None for experience in schedule.experiences] == [False, True, True]
    assert len(schedule.test) == 15


def test_no_face_comes_twice(grow: Grow) -> None:
    schedule, _ = load(grow())
    paths = [path for experience in schedule.experiences for path in experience.paths] + list(schedule.test)
    assert len(set(paths)) == len(paths)


def test_the_key_knows_who_made_every_face_and_when_they_arrive(grow: Grow) -> None:
    schedule, key = load(grow())
    assert key.methods == ("real", "gan", "swap")
    assert key.arrivals == (("real", "gan"), ("swap",), ())
    assert key.arrived(1) == [frozenset({0, 1}), frozenset({2})]
    numbers = key.numbers(schedule.experiences[1].paths)
    assert np.bincount(numbers).tolist() == [2, 2, 10]


def test_the_seed_decides_the_order(grow: Grow) -> None:
    root = grow()
    assert load(root)[0] == load(root)[0]
    assert load(root, seed=4)[0] != load(root, seed=5)[0]


def test_a_group_stays_on_one_side_of_the_test(grow: Grow) -> None:
    root = grow()
    rows = ["path,method,family,group"]
    rows += [f"faces/{m}/{i:02d}.png,{m},x,{m}{i // 4}" for m in ("real", "gan", "swap") for i in range(20)]
    (root / "manifest.csv").write_text("\n".join(rows))
    schedule, _ = load(root)
    test_groups = {(path.parent.name, int(path.stem) // 4) for path in schedule.test}
    training = [path for experience in schedule.experiences for path in experience.paths]
    assert not test_groups & {(path.parent.name, int(path.stem) // 4) for path in training}


def test_an_unknown_key_names_itself_and_its_neighbour(grow: Grow) -> None:
    with pytest.raises(BadInput, match=r'there is no key "sed".*Did you mean "seed"'):
        load(grow(PLAN.replace("seed = 3", "sed = 3")))


def test_a_method_without_a_folder_names_itself(grow: Grow) -> None:
    with pytest.raises(BadInput, match=r'experience 1 names the method "simswap".*gan, real, swap'):
        load(grow(PLAN.replace('["swap"]', '["simswap"]')))


def test_a_method_cannot_arrive_twice(grow: Grow) -> None:
    with pytest.raises(BadInput, match="arrived before"):
        load(grow(PLAN.replace('["swap"]', '["gan"]')))


def test_broken_toml_is_said_to_be_broken(grow: Grow) -> None:
    with pytest.raises(BadInput, match="not valid TOML"):
        load(grow("known = ["))


def test_a_tree_without_a_plan_gets_a_sensible_one(grow: Grow) -> None:
    schedule, key = load(grow(None, ("real", "a", "b", "c", "d", "e", "f")))
    assert "real" in schedule.known
    assert len(schedule.known) == 3
    assert sorted(method for arrival in key.arrivals for method in arrival) == sorted(key.methods)
    assert () in key.arrivals[1:]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no folder with images"):
        load(tmp_path)


def test_the_shared_stream_has_the_counts_of_its_plan(forge64: Path) -> None:
    schedule, key = load(forge64)
    assert [len(experience.paths) for experience in schedule.experiences] == [1260, 600, 408, 240, 876]
    assert key.arrivals[3] == ()
    assert np.bincount(key.numbers(schedule.test)).tolist() == [300] + [100] * 10
