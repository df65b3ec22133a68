from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from owcl.errors import BadInput
from scenarios.folder import load, read_tree
from scenarios.method_folders import images_in, method_folders

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


def test_a_photograph_in_the_manifest_stays_on_one_side_of_the_test_whoever_forged_it(grow: Grow) -> None:
    root = grow()
    rows = ["path,method,family,group"]
    rows += [
        f"faces/{m}/{i:02d}.png,{m},x,photograph {i // 4}" for m in ("real", "gan", "swap") for i in range(20)
    ]
    (root / "manifest.csv").write_text("\n".join(rows))
    schedule, _ = load(root)
    test = {int(path.stem) // 4 for path in schedule.test}
    training = {int(path.stem) // 4 for experience in schedule.experiences for path in experience.paths}
    assert len(test) == 2
    assert not test & training


def test_a_manifest_tells_families_and_the_schedule_only_those_of_known_methods(grow: Grow) -> None:
    root = grow()
    (root / "manifest.csv").write_text(
        "path,method,family\nfaces/gan/00.png,gan,synthesis\nfaces/swap/00.png,swap,identity swap\n"
    )
    schedule, key = load(root)
    assert schedule.known_families == {"gan": "synthesis"}
    assert key.families == {"gan": "synthesis", "swap": "identity swap"}


def test_a_manifest_without_the_columns_says_which_are_there(grow: Grow) -> None:
    root = grow()
    (root / "manifest.csv").write_text("file,label\na,b\n")
    with pytest.raises(BadInput, match="the columns are file, label"):
        load(root)


@pytest.mark.parametrize("row", [b"caf\xe9.png,gan", b"x" * 200_000 + b",gan"])
def test_a_manifest_that_cannot_be_read_is_refused(grow: Grow, row: bytes) -> None:
    root = grow()
    (root / "manifest.csv").write_bytes(b"path,method\n" + row)
    with pytest.raises(BadInput, match=r"manifest.csv: not CSV in UTF-8: .*Save it as that"):
        load(root)


@pytest.mark.parametrize(
    ("line", "wrong", "message"),
    [
        ('known = ["real", "gan"]', 'known = "real"', "known is 'real'. Expected: a list of methods"),
        ('known = ["real", "gan"]', "known = []", "Expected: a list of methods, at least two"),
        ("test_fraction = 0.25", "test_fraction = 1.5", "test_fraction is 1.5. Expected: a number from 0"),
        ("labelled_fraction = 0.5", "labelled_fraction = true", "labelled_fraction is True"),
        ("image_size = 8", "image_size = 0", "image_size is 0. Expected: a whole number of pixels"),
        ("seed = 3", "seed = -1", "seed is -1"),
        ("seen_per_class = 2", "seen_per_class = 2.5", "experience 1: seen_per_class is 2.5"),
        ("novel_per_class = 10", "novel_per_class = -3", "experience 1: novel_per_class is -3"),
        ("novel_per_class = 10", "", 'experience 1: methods arrive, but "novel_per_class" is missing or 0'),
        ("seen_per_class = 1", 'absent = ["gam"]', 'absent names the method "gam".*real, gan, swap'),
        ("seen_per_class = 2", 'absent = ["swap"]', 'absent names the method "swap".*before: real, gan\\.'),
        ('known = ["real", "gan"]', "", "the key 'known' is missing"),
    ],
)
def test_an_impossible_value_names_its_place_and_what_is_expected(
    grow: Grow, line: str, wrong: str, message: str
) -> None:
    assert PLAN.count(line) == 1
    with pytest.raises(BadInput, match=message):
        load(grow(PLAN.replace(line, wrong)))


@pytest.mark.parametrize("entries", ["[experience]\nnovel = []", "experience = [1]"])
def test_experiences_that_are_no_entries_are_refused(grow: Grow, entries: str) -> None:
    with pytest.raises(BadInput, match=r"Expected: entries of the form \[\[experience\]\]"):
        load(grow(f'known = ["real", "gan"]\n{entries}'))


def test_who_is_absent_stays_away(grow: Grow) -> None:
    plan = PLAN.replace("seen_per_class = 1", 'seen_per_class = 1\nabsent = ["gan"]')
    schedule, key = load(grow(plan))
    assert np.bincount(key.numbers(schedule.experiences[2].paths), minlength=3).tolist() == [1, 0, 1]


def test_folders_may_lie_in_faces_or_beside_the_plan_and_hold_every_format(tmp_path: Path) -> None:
    for method in ("real", "gan", "swap"):
        (tmp_path / method).mkdir()
        for index, suffix in enumerate(("png", "jpg", "jpeg", "webp", "bmp", "tif", "TIFF", "PNG")):
            (tmp_path / method / f"{index}.{suffix}").touch()
        (tmp_path / method / "notes.txt").touch()
    _, key = load(tmp_path)
    assert len(key.method_of) == 24
    assert {path.parent.name == method for path, method in key.method_of.items()} == {True}


def test_an_unknown_key_names_itself_and_its_neighbour(grow: Grow) -> None:
    with pytest.raises(BadInput, match=r'there is no key "sed".*Did you mean "seed"'):
        load(grow(PLAN.replace("seed = 3", "sed = 3")))


def test_a_method_without_a_folder_names_itself(grow: Grow) -> None:
    with pytest.raises(
        BadInput, match=r'experience 1 names the method "simswap".*gan, real, swap.*Did you mean "swap"'
    ):
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


def test_frames_in_a_folder_for_each_video_come_and_are_tested_together(grow: Grow) -> None:
    root = grow(count=40)
    for method in ("real", "swap"):
        for number, face in enumerate(sorted((root / "faces" / method).iterdir())):
            video = face.parent / f"video-{number % 10}"
            video.mkdir(exist_ok=True)
            face.rename(video / face.name)
    schedule, key = load(root)
    assert sum(method == "swap" for method in key.method_of.values()) == 40
    first = schedule.experiences[0]
    assert first.groups is not None
    places = {
        path: group for path, group in zip(first.paths, first.groups, strict=True) if "video" in str(path)
    }
    assert {str(path.parent.relative_to(root)) for path in places} == set(places.values())
    test = {path.parent for path in schedule.test if "video" in str(path)}
    assert not test & {path.parent for each in schedule.experiences for path in each.paths}


@pytest.mark.parametrize(
    ("above", "methods"),
    [
        ("known", ["real", "gan"]),
        ("known/faces", ["real", "gan"]),
        ("test", ["Real", "Fake"]),
        ("progan", ["0_real", "1_fake"]),
    ],
)
def test_a_folder_that_holds_those_of_methods_is_no_method(
    tmp_path: Path, above: str, methods: list[str]
) -> None:
    for method in methods:
        (tmp_path / above / method).mkdir(parents=True)
        (tmp_path / above / method / "0.png").touch()
    with pytest.raises(BadInput, match=f"Name {tmp_path / above} if its folders are those of the methods"):
        load(tmp_path)


def test_linked_folders_of_videos_are_read_and_hidden_ones_are_not(tmp_path: Path, grow: Grow) -> None:
    root = grow(None)
    elsewhere = tmp_path / "elsewhere"
    (root / "faces" / "swap").rename(elsewhere)
    (root / "faces" / "swap").mkdir()
    (root / "faces" / "swap" / "video").symlink_to(elsewhere)
    (root / "faces" / ".thumbnails").symlink_to(elsewhere)
    (root / "faces" / "swap" / "face.png").write_bytes((elsewhere / "00.png").read_bytes())
    files = read_tree(root).files
    assert sorted(files) == ["gan", "real", "swap"]
    assert (
        sorted(entry.group for entry in files["swap"]) == ["faces/swap/face.png"] + ["faces/swap/video"] * 20
    )


def test_faces_that_all_lie_in_one_folder_below_are_no_video(grow: Grow) -> None:
    root = grow()
    for face in sorted((root / "faces" / "swap").iterdir()):
        (root / "faces" / "swap" / "images").mkdir(exist_ok=True)
        face.rename(face.parent / "images" / face.name)
    schedule, key = load(root)
    assert np.bincount(key.numbers(schedule.test)).tolist() == [5, 5, 5]


def test_a_folder_of_methods_may_lie_anywhere(grow: Grow, monkeypatch: pytest.MonkeyPatch) -> None:
    lies = grow() / "take::2"
    (lies.parent / "faces").rename(lies)
    (lies / "swap").rename(lies / "face::swap")
    (lies / "swap").mkdir()
    (lies / "face::swap").rename(lies / "swap" / "face::swap")
    with zipfile.ZipFile(lies / "swap" / "more.zip", "w") as archive:
        archive.write(lies / "gan" / "00.png", "more.png")
    monkeypatch.chdir(lies)
    assert sorted(method_folders(Path())) == sorted(method_folders(lies)) == ["gan", "real", "swap"]
    assert len(list(images_in(Path("swap")))) == 20


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no folder with images"):
        load(tmp_path)


def test_the_shared_stream_has_the_counts_of_its_plan(forge64: Path) -> None:
    schedule, key = load(forge64)
    assert [len(experience.paths) for experience in schedule.experiences] == [1260, 600, 408, 240, 876]
    assert key.arrivals[3] == ()
    assert np.bincount(key.numbers(schedule.test)).tolist() == [300] + [100] * 10
