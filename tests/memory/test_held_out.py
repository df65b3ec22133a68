"""That held-out faces come from videos of their own."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest

from owcl.memory.held_out import drawn_in_groups, is_drawn

SHARE = 0.2


def contents(count: int) -> list[str]:
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]


def test_about_the_share_of_faces_is_drawn_by_their_contents() -> None:
    assert np.mean([is_drawn(sha256, SHARE) for sha256 in contents(5000)]) == pytest.approx(SHARE, abs=0.02)
    assert not is_drawn("33333334" + "0" * 56, SHARE)
    assert is_drawn("33333333" + "f" * 56, SHARE)


@pytest.mark.parametrize("videos", [3, 5, 10, 40])
def test_frames_of_a_video_are_on_one_side(videos: int) -> None:
    groups = [f"video-{number % videos}" for number in range(400)]
    drawn = drawn_in_groups(groups, contents(400), SHARE)
    assert all(len(np.unique(drawn[video::videos])) == 1 for video in range(videos))
    assert drawn.mean() == pytest.approx(SHARE, abs=0.14)


@pytest.mark.parametrize(
    "groups",
    [
        ["one"] * 200,
        ["one"] * 100 + ["two"] * 100,
        ["long"] * 195 + ["short"] * 5,
        [str(number) for number in range(200)],
    ],
)
def test_faces_are_drawn_one_by_one_where_no_video_can_be_spared(groups: list[str]) -> None:
    by_themselves = [is_drawn(sha256, SHARE) for sha256 in contents(200)]
    assert drawn_in_groups(groups, contents(200), SHARE).tolist() == by_themselves


def test_photographs_among_videos_are_drawn_one_by_one() -> None:
    groups = [f"video-{number % 10}" for number in range(100)] + [f"photograph-{n}" for n in range(100)]
    drawn = drawn_in_groups(groups, contents(200), SHARE)
    assert drawn[100:].tolist() == [is_drawn(sha256, SHARE) for sha256 in contents(200)[100:]]
    assert drawn[:100].sum() == 20


def test_a_video_too_long_to_be_spared_is_passed_over() -> None:
    groups = ["long"] * 90 + ["short"] * 10
    assert drawn_in_groups(groups, contents(100), SHARE).tolist() == [False] * 90 + [True] * 10


def test_a_video_may_have_any_name_that_a_folder_may_have() -> None:
    groups = [os.fsdecode(b"caf\xe9-%d" % (number % 10)) for number in range(400)]
    drawn = drawn_in_groups(groups, contents(400), SHARE)
    assert drawn.mean() == pytest.approx(SHARE, abs=0.05)
