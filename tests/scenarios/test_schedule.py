from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from owcl.errors import BadInput
from scenarios.schedule import Arrival, FileEntry, ScheduledExperience, StreamPlan, draw, sensible_plan

PLAN = StreamPlan(
    name="small",
    image_size=8,
    known=("real", "gan"),
    arrivals=(Arrival(("swap",), 10, 2), Arrival(("warp",), 10, 3, absent=("gan",))),
    labelled_fraction=0.5,
    test_fraction=0.25,
    seed=3,
)
METHODS = ("real", "gan", "swap", "warp")
Drawn = tuple[tuple[ScheduledExperience, ...], tuple[Path, ...]]


def _files(count: int = 40, photographs: int | None = None) -> dict[str, list[FileEntry]]:
    """Return files that are each a group, or forgeries by every method of the same photographs."""
    return {
        method: [
            FileEntry(
                Path(method, f"{index}.png"),
                f"{method}{index}" if photographs is None else str(index % photographs),
            )
            for index in range(count)
        ]
        for method in METHODS
    }


def _methods(paths: tuple[Path, ...]) -> Counter[str]:
    return Counter(path.parent.name for path in paths)


def _photographs(paths: tuple[Path, ...], photographs: int) -> set[int]:
    return {int(path.stem) % photographs for path in paths}


def test_an_experience_holds_what_the_plan_says() -> None:
    experiences, test = draw(_files(), PLAN)
    assert _methods(test) == dict.fromkeys(METHODS, 10)
    assert [_methods(experience.paths) for experience in experiences] == [
        {"real": 15, "gan": 15},
        {"real": 2, "gan": 2, "swap": 10},
        {"real": 3, "swap": 3, "warp": 10},
    ]


def test_labels_are_there_in_experience_zero_alone_and_are_the_folders() -> None:
    (first, *later), _ = draw(_files(), PLAN)
    assert first.labels == tuple(path.parent.name for path in first.paths)
    assert [experience.labels for experience in later] == [None, None]


def test_no_face_comes_twice() -> None:
    experiences, test = draw(_files(), PLAN)
    paths = [path for experience in experiences for path in experience.paths] + list(test)
    assert len(set(paths)) == len(paths)


def test_a_photograph_is_on_one_side_of_the_test_whoever_forged_it() -> None:
    for seed in range(20):
        experiences, test = draw(_files(photographs=25), replace(PLAN, seed=seed))
        training = [_photographs(experience.paths, 25) for experience in experiences]
        assert not set().union(*training) & _photographs(test, 25)


def test_a_shared_photograph_leaves_about_the_planned_share_of_every_method_for_the_test() -> None:
    """25 photographs, 15 of them twice: the first method cuts 10 faces, the others follow it."""
    shares = [_methods(draw(_files(photographs=25), replace(PLAN, seed=seed))[1]) for seed in range(20)]
    assert all(10 <= count[method] <= 11 for count in shares for method in METHODS)


def test_methods_that_share_only_some_photographs_fill_their_test_from_their_own() -> None:
    files = {
        "real": [FileEntry(Path("real", f"{index}.png"), str(index)) for index in range(40)],
        "gan": [FileEntry(Path("gan", f"{index}.png"), str(index + 36)) for index in range(40)],
    }
    plan = replace(PLAN, known=("real", "gan"), arrivals=())
    assert all(
        _methods(draw(files, replace(plan, seed=seed))[1]) == {"real": 10, "gan": 10} for seed in range(20)
    )


def test_what_one_method_made_of_a_photograph_comes_in_one_experience() -> None:
    for seed in range(20):
        experiences, _ = draw(_files(60, photographs=24), replace(PLAN, seed=seed))
        met = [
            (path.parent.name, int(path.stem) % 24, experience.index)
            for experience in experiences
            for path in experience.paths
        ]
        assert len({place[:2] for place in met}) == len(set(met))


def test_the_seed_decides_everything() -> None:
    assert draw(_files(), PLAN) == draw(_files(), PLAN)
    assert set(draw(_files(), PLAN)[1]) != set(draw(_files(), replace(PLAN, seed=4))[1])


def test_the_place_in_an_experience_tells_nothing_of_the_method() -> None:
    """Over many seeds, faces of the novel method come on average in the middle."""

    def mean_place(seed: int) -> float:
        arriving = draw(_files(), replace(PLAN, seed=seed))[0][1].paths
        return float(np.mean([row for row, path in enumerate(arriving) if path.parent.name == "swap"]))

    places = [mean_place(seed) for seed in range(200)]
    error = np.std(places) / np.sqrt(len(places))
    assert abs(np.mean(places) - 6.5) < 4 * error


def test_too_few_faces_are_taken_as_they_are_and_said(caplog: pytest.LogCaptureFixture) -> None:
    experiences, _ = draw(_files(), replace(PLAN, arrivals=(Arrival(("swap",), 40, 2),)))
    assert _methods(experiences[1].paths)["swap"] == 30
    assert '"swap": 40 faces were planned, 30 are left' in caplog.text


def test_a_class_without_a_face_is_refused() -> None:
    with pytest.raises(BadInput, match='no face of "real" is left for the labelled experience'):
        draw(_files(), replace(PLAN, labelled_fraction=0.0))
    with pytest.raises(BadInput, match='no face of "swap" is left for the experience 1'):
        draw(_files() | {"swap": []}, PLAN)


@pytest.mark.parametrize("seed", range(20))
def test_a_sensible_plan_brings_every_method_once_and_has_a_quiet_time(seed: int) -> None:
    counts = dict.fromkeys(("real", *"abcdefghi"), 100)
    plan = sensible_plan("tree", counts, 64, seed)
    arriving = [method for arrival in plan.arrivals for method in arrival.novel]
    assert sorted([*plan.known, *arriving]) == sorted(counts)
    assert "real" in plan.known
    assert len(plan.known) == 5
    assert max(len(arrival.novel) for arrival in plan.arrivals) <= 3
    assert [arrival.novel for arrival in plan.arrivals].count(()) == 1


def test_a_sensible_plan_can_be_drawn_without_running_out(caplog: pytest.LogCaptureFixture) -> None:
    files = _files(60)
    plan = sensible_plan("tree", {method: len(entries) for method, entries in files.items()}, 8, 1)
    draw(files, plan)
    assert caplog.text == ""


def test_two_methods_are_too_few_to_discover_anything() -> None:
    with pytest.raises(BadInput, match="2 methods: real, gan"):
        sensible_plan("tree", {"real": 9, "gan": 9}, 64, 0)
