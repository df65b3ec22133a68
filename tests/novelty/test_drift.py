"""Known faces that are compressed again are no new method."""

from __future__ import annotations

import numpy as np
import pytest

from owcl.faces.reposting import reposted_views
from owcl.novelty.drift import compared_with_reposted
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
    verdict = judge(faces(rng)[:60], np.full(60, 0.001), 1.0, {}, 30, rng, reposted)
    assert verdict.drifted == drifted
    assert verdict.accepted != drifted
    assert verdict.evidence["auc_to_known_posted_again"] == pytest.approx(high - 0.05)
    assert any("compressed again" in reason for reason in verdict.reasons) == drifted


def test_a_view_of_a_face_posted_again_is_like_it_and_not_the_same(rng: np.random.Generator) -> None:
    smooth = np.linspace(40, 200, 48).astype(np.uint8)
    images = np.broadcast_to(smooth, (3, 3, 48, 48)).copy()
    views = reposted_views(images, rng)
    assert views.shape == images.shape
    difference = np.abs(views.astype(int) - images)
    assert 0 < difference.mean() < 8
