from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from owcl.errors import BadInput, NotFound
from scenarios.composition import PRESETS, SECOND_VERSION, Preset, compose, load, read_preset
from scenarios.schedule import StreamPlan
from scenarios.truth import AnswerKey

MANY = ("real", *(f"method{number}" for number in range(13)))
"""As many methods as the rendered scenario has."""
SEEDS = range(10)


def _plans(name: str, known: int) -> list[StreamPlan]:
    """Plan streams of as many faces as are made for the preset; three times as many are real."""
    preset = read_preset(name)
    counts = {method: preset.faces_per_method * (3 if method == "real" else 1) for method in MANY}
    return [compose(preset, counts, {}, known, 64, seed) for seed in SEEDS]


def _present(plan: StreamPlan, method: str, since: int) -> list[bool]:
    return [method not in arrival.absent for arrival in plan.arrivals[since:]]


@pytest.fixture
def tree(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Eight methods of 60 noisy faces each; the odd ones and the even ones are a family."""
    manifest = ["path,method,family"]
    for method in ("real", *(f"method{number}" for number in range(7))):
        folder = tmp_path / "tree" / "faces" / method
        folder.mkdir(parents=True)
        for index in range(60):
            face = rng.normal(128, 12, (16, 16, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(face).save(folder / f"{index:02d}.png")
            manifest.append(f"faces/{method}/{index:02d}.png,{method},{family(method)}")
    (tmp_path / "tree" / "manifest.csv").write_text("\n".join(manifest), encoding="utf-8")
    return tmp_path / "tree"


def family(method: str) -> str:
    return "real" if method == "real" else ("even", "odd")[int(method.removeprefix("method")) % 2]


def _methods(key: AnswerKey, paths: tuple[Path, ...]) -> Counter[str]:
    return Counter(key.method_of[path] for path in paths)


def test_every_preset_is_a_file_that_says_what_it_is_for() -> None:
    assert all(len(read_preset(name).purpose) > 20 for name in PRESETS)


def test_a_preset_that_there_is_not_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(NotFound, match=r"Choose one of steady, cgcd, .* Did you mean \"quiet\"\?"):
        read_preset("quite")


def test_where_faces_are_few_all_of_a_kind_get_less_by_the_same_factor() -> None:
    """A known method has 30 unlabelled training faces; the new one has 30, and 100 are wanted."""
    preset = Preset("small", "", 100, 0.6, 0.5, [[1, 1], [0, 0]], [60, 60], [50, 50], [40, 40])
    plan = compose(preset, {"real": 80, "gan": 80, "swap": 40}, {}, 2, 64, 0)
    first, second = plan.arrivals
    assert (first.novel, first.novel_per_class, first.known_per_class) == (("swap",), 18, 15)
    assert (second.novel, second.seen_per_class, second.known_per_class) == ((), 12, 15)


def test_steady_brings_one_to_three_new_methods_in_each_of_five_experiences() -> None:
    assert 5 <= round(read_preset("steady").known_share * len(MANY)) <= 8
    for plan in _plans("steady", 6):
        sizes = [len(arrival.novel) for arrival in plan.arrivals]
        assert len(sizes) == 5
        assert all(1 <= size <= 3 for size in sizes)
        assert sum(sizes) == 8
        assert all(150 <= arrival.novel_per_class <= 400 for arrival in plan.arrivals)
        assert all(40 <= (arrival.known_per_class or 0) <= 100 for arrival in plan.arrivals)
        assert all(30 <= arrival.seen_per_class <= 60 for arrival in plan.arrivals)


def test_cgcd_has_sixteen_new_faces_for_one_of_any_other_class() -> None:
    for plan in _plans("cgcd", 7):
        assert sorted(len(arrival.novel) for arrival in plan.arrivals) == [1, 1, 1, 2, 2]
        for arrival in plan.arrivals:
            assert (
                arrival.novel_per_class == 16 * arrival.seen_per_class == 16 * (arrival.known_per_class or 0)
            )


def test_in_offline_all_new_methods_come_at_once_and_as_many_faces_of_each() -> None:
    for plan in _plans("offline", 7):
        (arrival,) = plan.arrivals
        assert set(arrival.novel) == set(MANY) - set(plan.known)
        assert arrival.novel_per_class == 450  # All of the smallest method but the quarter that is tested on.
        assert arrival.known_per_class == 225


def test_families_come_one_after_another_each_with_all_of_its_new_methods(tree: Path, tmp_path: Path) -> None:
    for seed in SEEDS:
        _, key = load(tree, "families", tmp_path / "copies", seed)
        known, *arrived = key.arrivals
        assert [len({family(method) for method in group}) for group in arrived] == [1] * len(arrived)
        assert len({family(group[0]) for group in arrived}) == len(arrived)
        assert {*known, *(method for group in arrived for method in group)} == set(key.methods)


def test_a_tree_that_names_no_families_cannot_let_them_come(tree: Path, tmp_path: Path) -> None:
    (tree / "manifest.csv").unlink()
    with pytest.raises(BadInput, match=r"nothing says of which family method\d.*manifest\.csv is expected"):
        load(tree, "families", tmp_path / "copies")


def test_nothing_new_is_in_quiet_and_reposted() -> None:
    for name, experiences in (("quiet", 20), ("reposted", 10)):
        for plan in _plans(name, len(MANY)):
            assert plan.known == MANY
            assert [arrival.novel for arrival in plan.arrivals] == [()] * experiences
            assert all(900 <= len(MANY) * (arrival.known_per_class or 0) <= 1100 for arrival in plan.arrivals)


def test_in_return_every_new_method_stays_away_for_one_to_three_experiences_and_comes_back() -> None:
    away = []
    for plan in _plans("return", 6):
        for index, arrival in enumerate(plan.arrivals):
            for method in arrival.novel:
                present = _present(plan, method, index + 1)
                away.append(present.index(True))
                assert all(present[away[-1] :])
    assert set(away) == {1, 2, 3}


def test_the_long_return_has_fifty_experiences_and_nine_arrivals_of_one() -> None:
    for plan in _plans("return_long", round(read_preset("return_long").known_share * 13)):
        arrived = [index for index, arrival in enumerate(plan.arrivals) if arrival.novel]
        assert len(plan.arrivals) == 50
        assert [len(plan.arrivals[index].novel) for index in arrived] == [1] * 9
        assert all(arrival.novel_per_class >= 150 for arrival in plan.arrivals)
        assert all(arrival.seen_per_class == 20 for arrival in plan.arrivals)


def test_burst_brings_six_or_more_at_once() -> None:
    for plan in _plans("burst", 6):
        assert [len(arrival.novel) for arrival in plan.arrivals] == [8, 0]


def test_trickle_brings_ten_faces_of_one_new_method_each_time() -> None:
    for plan in _plans("trickle", 7):
        first, *later = plan.arrivals
        assert (len(first.novel), first.novel_per_class) == (1, 10)
        assert [(arrival.novel, arrival.seen_per_class) for arrival in later] == [((), 10)] * 7


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_drawn_from_any_folder_the_same_for_a_seed_and_without_a_face_twice(
    name: str, tree: Path, tmp_path: Path
) -> None:
    schedule, key = load(tree, name, tmp_path / "copies", seed=1)
    again, _ = load(tree, name, tmp_path / "copies", seed=1)
    other, _ = load(tree, name, tmp_path / "copies", seed=2)
    assert schedule == again != other
    paths = [path for experience in schedule.experiences for path in experience.paths] + list(schedule.test)
    assert len(set(paths)) == len(paths)
    assert all(path.is_absolute() and path.is_file() for path in paths)
    assert schedule.experiences[0].labels == tuple(
        key.method_of[path] for path in schedule.experiences[0].paths
    )
    assert all(experience.labels is None and experience.paths for experience in schedule.experiences[1:])
    for experience, arrived in zip(schedule.experiences, key.arrivals, strict=True):
        assert set(arrived) <= set(_methods(key, experience.paths))


def test_a_tree_with_too_few_faces_for_a_preset_says_so(tree: Path, tmp_path: Path) -> None:
    for path in tree.rglob("*.png"):
        if int(path.stem) >= 20:
            path.unlink()
    with pytest.raises(
        BadInput, match="preset 'quiet': there are too few faces in the tree: none is left for experience"
    ):
        load(tree, "quiet", tmp_path / "copies")


def test_a_path_seen_from_here_is_kept_as_ingest_keeps_it(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    schedule, _ = load(Path("tree"), "steady", Path("copies"))
    assert schedule == load(tree, "steady", tmp_path / "copies")[0]


def test_in_reposted_the_unlabelled_faces_are_jpeg_copies_and_the_others_are_untouched(
    tree: Path, tmp_path: Path
) -> None:
    schedule, key = load(tree, "reposted", tmp_path / "copies")
    first, *later = schedule.experiences
    assert all(path.is_relative_to(tree) for path in (*first.paths, *schedule.test))
    copies = [path for experience in later for path in experience.paths]
    assert all(path.is_relative_to(tmp_path / "copies") for path in copies)
    sizes = set()
    for copy in copies:
        with Image.open(copy) as image:
            assert image.format == "JPEG"
            sizes.add(image.size[0])
    assert min(sizes) < 16 < max(sizes)
    assert all(12 <= size <= 20 for size in sizes)
    assert {key.method_of[path] for path in copies} == set(schedule.known)


def test_copies_are_made_once(tree: Path, tmp_path: Path) -> None:
    load(tree, "reposted", tmp_path / "copies")
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "copies").rglob("*.jpg")}
    load(tree, "reposted", tmp_path / "copies")
    assert made == {path: path.stat().st_mtime_ns for path in (tmp_path / "copies").rglob("*.*")}


def test_a_face_that_is_no_image_stays_none_in_its_copy(tree: Path, tmp_path: Path) -> None:
    for path in (tree / "faces" / "real").iterdir():
        path.write_bytes(b"torn" + path.name.encode())
    schedule, key = load(tree, "reposted", tmp_path / "copies")
    torn = [path for path in schedule.experiences[1].paths if key.method_of[path] == "real"]
    assert torn
    assert all(path.read_bytes().startswith(b"torn") for path in torn)


def test_a_face_that_cannot_be_read_is_its_own_copy(tree: Path, tmp_path: Path) -> None:
    for face in list((tree / "faces" / "real").iterdir()):
        face.unlink()
        face.symlink_to("gone.png")
    schedule, _ = load(tree, "reposted", tmp_path / "copies")
    assert any(path.parent == tree / "faces" / "real" for path in schedule.experiences[1].paths)


def test_in_lookalike_the_second_version_arrives_two_experiences_after_the_first(
    tree: Path, tmp_path: Path
) -> None:
    schedule, key = load(tree, "lookalike", tmp_path / "copies")
    (first,), none, (second,), _ = key.arrivals[1:]
    assert (second, none) == (first + SECOND_VERSION, ())
    seconds = [path for path in key.method_of if key.method_of[path] == second]
    assert len(seconds) == 30
    assert sum(method == first for method in key.method_of.values()) == 30
    assert second not in _methods(key, schedule.experiences[2].paths)


def test_a_second_version_differs_by_a_few_levels_and_in_the_grid_of_two_pixels(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    from scenarios.copies import second_version

    flat = np.full((64, 64, 3), 200, np.uint8)
    (tmp_path / "flat.png").write_bytes(second_version(flat, rng))
    changed = np.asarray(Image.open(tmp_path / "flat.png"))
    assert changed[::2, ::2].mean() == changed[1::2, 1::2].mean() == 200
    assert (changed[::2, 1::2].mean(), changed[1::2, ::2].mean()) == (201, 199)
