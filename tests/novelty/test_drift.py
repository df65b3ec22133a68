"""When has something changed, and known faces that are compressed again, which are no new method."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from owcl.faces.reposting import reposted_views
from owcl.novelty.drift import changed_at, compared_with_reposted, surprise
from owcl.novelty.matching import Verdict
from owcl.novelty.promotion import judge

CLASSES = np.repeat([1, 2, 3], 120)


def faces(rng: np.random.Generator, shift: float = 0.0) -> np.ndarray:
    """Three methods; posting again moves all of them in a fourth direction."""
    centres = np.pad(4 * np.eye(3), ((0, 0), (0, 3)))
    found = centres[CLASSES - 1] + 0.5 * rng.standard_normal((360, 6))
    found[:, 3] += shift
    return found.astype(np.float32)


def test_known_faces_posted_again_cannot_be_told_from_others_that_were(rng: np.random.Generator) -> None:
    verdict = compared_with_reposted(faces(rng, 2.0), faces(rng, 2.0), CLASSES, rng)
    assert verdict is not None
    assert verdict.answer == "same"


def test_it_does_not_matter_of_which_classes_they_are(rng: np.random.Generator) -> None:
    verdict = compared_with_reposted(faces(rng, 2.0)[CLASSES == 2], faces(rng, 2.0), CLASSES, rng)
    assert verdict is not None
    assert verdict.high < 0.7


def test_a_new_method_can_be_told_from_them(rng: np.random.Generator) -> None:
    new = faces(rng)[:120] + np.array([0, 0, 0, 0, 3, 0], np.float32)
    verdict = compared_with_reposted(new, faces(rng, 2.0), CLASSES, rng)
    assert verdict is not None
    assert verdict.answer == "different"


def test_too_few_faces_are_not_compared(rng: np.random.Generator) -> None:
    assert compared_with_reposted(faces(rng)[:19], faces(rng), CLASSES, rng) is None


@pytest.mark.parametrize(("high", "drifted"), [(0.82, True), (0.95, False)])
def test_a_cluster_that_may_be_known_faces_posted_again_is_not_promoted(
    high: float, drifted: bool, rng: np.random.Generator
) -> None:
    reposted = Verdict("undecided", high - 0.05, high - 0.1, high)
    verdict = judge(faces(rng)[:60], np.arange(60), np.full(60, 0.001), 1.0, {}, 30, rng, reposted)
    assert verdict.drifted == drifted
    assert verdict.accepted != drifted
    assert verdict.evidence["auc_to_known_posted_again"] == pytest.approx(high - 0.05)
    assert any("compressed again" in reason for reason in verdict.reasons) == drifted


@pytest.mark.parametrize(("answer", "drifted"), [("undecided", True), ("different", False)])
def test_beside_faces_posted_again_a_cluster_must_clearly_be_something_else(
    answer: Literal["undecided", "different"], drifted: bool, rng: np.random.Generator
) -> None:
    compared = Verdict(answer, 0.94, 0.91 if answer == "different" else 0.87, 0.97)
    members, p_values = faces(rng)[:60], np.full(60, 0.001)
    alone = judge(members, np.arange(len(members)), p_values, 1.0, {}, 30, rng, compared)
    beside = judge(
        members, np.arange(len(members)), p_values, 1.0, {}, 30, rng, compared, beside_reposted=True
    )
    assert alone.accepted
    assert beside.drifted == drifted
    assert beside.accepted != drifted


def test_a_view_of_a_face_posted_again_is_like_it_and_not_the_same(rng: np.random.Generator) -> None:
    smooth = np.linspace(40, 200, 48).astype(np.uint8)
    images = np.broadcast_to(smooth, (3, 3, 48, 48)).copy()
    views = reposted_views(images, rng)
    assert views.shape == images.shape
    difference = np.abs(views.astype(int) - images)
    assert 0 < difference.mean() < 8


@pytest.mark.parametrize(("faces", "streams"), [(60, 400), (200, 400), (1000, 200), (10_000, 60)])
def test_one_in_a_hundred_streams_of_known_faces_seems_to_change_however_long_it_is(
    faces: int, streams: int, rng: np.random.Generator
) -> None:
    false = np.mean([changed_at(rng.uniform(size=faces)) is not None for _ in range(streams)])
    assert false <= 0.01 + 2 * np.sqrt(0.01 * 0.99 / streams)


def test_a_new_method_is_noticed_after_a_few_of_its_faces(rng: np.random.Generator) -> None:
    """Of the faces after the first 600 every third is new; the p-values of those are at most 0.05."""
    arrived = np.arange(300) % 3 == 0
    noticed = []
    for _ in range(40):
        after = np.where(arrived, rng.uniform(0, 0.05, 300), rng.uniform(size=300))
        noticed.append(changed_at(np.concatenate([rng.uniform(size=600), after])))
    delays = [position - 600 for position in noticed if position is not None and position >= 600]
    assert len(delays) >= 36
    assert np.median(delays) < 3 * 30


def test_where_all_faces_are_a_little_more_unusual_than_they_should_be_nothing_has_arrived(
    rng: np.random.Generator,
) -> None:
    """Few held-out faces leave such a shift in all p-values of a model."""
    assert changed_at(rng.uniform(0, 0.8, 1000)) is None


def test_surprise_has_mean_zero_and_deviation_one_for_known_faces() -> None:
    p_values = (np.arange(1000) + 0.5) / 1000
    assert surprise(p_values).mean() == pytest.approx(0, abs=1e-9)
    assert surprise(p_values).std() == pytest.approx(1, abs=1e-3)
    assert surprise(np.array([0.0, 0.5])).tolist() == pytest.approx([np.sqrt(3), 0])
