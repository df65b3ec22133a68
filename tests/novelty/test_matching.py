from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from owcl.config import NoveltyConfiguration
from owcl.errors import BadInput
from owcl.novelty.drift import LARGEST_SIDE
from owcl.novelty.matching import SAME_BELOW, SMALLEST_SIDE, judge_same
from owcl.novelty.promotion import judge
from owcl.novelty.scores.neighbours import NearestNeighbourScore


def _cloud(count: int, shift: float, rng: np.random.Generator) -> np.ndarray:
    return (rng.normal(size=(count, 12)) + shift).astype(np.float32)


def test_two_halves_of_one_method_are_never_called_different(rng: np.random.Generator) -> None:
    answers = [judge_same(_cloud(150, 0, rng), _cloud(150, 0, rng), rng).answer for _ in range(20)]
    assert "different" not in answers
    assert answers.count("same") >= 18


def test_two_methods_are_different(rng: np.random.Generator) -> None:
    verdict = judge_same(_cloud(100, 0, rng), _cloud(100, 1.5, rng), rng)
    assert verdict.answer == "different"
    assert verdict.low > 0.95


def test_a_small_shift_is_undecided(rng: np.random.Generator) -> None:
    assert judge_same(_cloud(80, 0, rng), _cloud(80, 0.35, rng), rng).answer == "undecided"


def test_too_few_faces_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(BadInput, match="19 and 30 faces"):
        judge_same(_cloud(19, 0, rng), _cloud(30, 0, rng), rng)


def test_a_large_stable_new_cluster_becomes_a_class(rng: np.random.Generator) -> None:
    classes = {7: _cloud(60, 0, rng), 8: _cloud(60, -2, rng)}
    found_by = ("density", "anchored_cut")
    promotion = judge(
        _cloud(60, 2, rng), np.arange(60), np.full(60, 0.01), 0.95, classes, 30, rng, None, found_by
    )
    assert promotion.accepted
    assert promotion.evidence["nearest_class"] in (7, 8)
    assert promotion.evidence["size"] == 60
    assert promotion.evidence["also_found_by"] == "density, anchored_cut"


def test_that_nobody_else_found_a_cluster_is_evidence_too_and_no_obstacle(rng: np.random.Generator) -> None:
    promotion = judge(_cloud(60, 2, rng), np.arange(60), np.full(60, 0.01), 0.95, {}, 30, rng)
    assert promotion.accepted
    assert promotion.evidence["also_found_by"] == "no other estimator"


def test_more_faces_of_a_class_join_it(rng: np.random.Generator) -> None:
    promotion = judge(
        _cloud(200, 0, rng), np.arange(200), np.full(200, 0.01), 1.0, {7: _cloud(200, 0, rng)}, 30, rng
    )
    assert not promotion.accepted
    assert promotion.same_as == 7


def test_faces_that_cannot_be_told_from_two_classes_join_the_nearer_one(rng: np.random.Generator) -> None:
    classes = {7: _cloud(400, 0.15, rng), 8: _cloud(400, 0, rng)}
    promotion = judge(_cloud(400, 0, rng), np.arange(400), np.full(400, 0.01), 1.0, classes, 30, rng)
    assert judge_same(_cloud(400, 0, rng), classes[7], rng).answer == "same"
    assert promotion.same_as == promotion.evidence["nearest_class"] == 8


def test_faces_that_seem_to_be_of_a_class_wait_until_there_are_enough_to_tell(
    rng: np.random.Generator,
) -> None:
    known = {7: _cloud(100, 0, rng)}
    few = judge(_cloud(30, 0.28, rng), np.arange(30), np.full(30, 0.01), 1.0, known, 30, rng)
    assert few.evidence["auc_to_nearest_class"] <= SAME_BELOW
    assert few.same_as is None
    assert few.reasons == ("more of class 7, as it seems; more faces are needed to be sure",)
    assert few.lacks_only_faces
    assert judge(_cloud(300, 0.05, rng), np.arange(300), np.full(300, 0.01), 1.0, known, 30, rng).same_as == 7


def test_however_many_seem_to_be_of_a_class_with_few_exemplars_they_are_no_other(
    rng: np.random.Generator,
) -> None:
    """Of 30 exemplars the interval is as wide for 400 faces as for 4,000."""
    known = [{7: _cloud(30, 0, rng)} for _ in range(20)]
    judged = [
        judge(_cloud(400, 0, rng), np.arange(400), np.full(400, 0.01), 1.0, one, 30, rng) for one in known
    ]
    assert not any(one.accepted for one in judged)
    unsure = [one for one in judged if one.same_as is None]
    assert unsure
    assert all("a person may adopt it" in one.reasons[0] and one.lacks_only_faces for one in unsure)


def test_small_and_unstable_clusters_wait_with_reasons(rng: np.random.Generator) -> None:
    promotion = judge(
        _cloud(25, 3, rng), np.arange(25), np.full(25, 0.01), 0.3, {7: _cloud(60, 0, rng)}, 30, rng
    )
    assert promotion.reasons == (
        "25 faces, 30 make a class",
        "came back in 30% of resamples, 50% are needed",
    )


def test_copies_of_one_picture_are_no_class(rng: np.random.Generator) -> None:
    copies = np.repeat(_cloud(1, 3, rng), 40, axis=0)
    promotion = judge(copies, np.arange(1), np.full(40, 0.01), 1.0, {}, 30, rng)
    assert promotion.reasons == ("40 faces, 1 without copies, 30 make a class",)
    assert promotion.lacks_only_faces
    others = np.concatenate([copies, _cloud(29, 3, rng)])
    assert judge(others, np.arange(30), np.full(69, 0.01), 1.0, {}, 30, rng).accepted


def test_copies_of_faces_of_a_class_are_not_told_from_it_by_each_other(rng: np.random.Generator) -> None:
    """A probe that has learned a copy knows the face that it is to judge."""
    pictures, p_values = np.arange(0, 400, 10), np.full(400, 0.01)
    found = [
        judge(
            np.repeat(_cloud(40, 0, rng), 10, axis=0),
            pictures,
            p_values,
            1.0,
            {7: _cloud(100, 0, rng)},
            30,
            rng,
        )
        for _ in range(20)
    ]
    assert np.mean([one.evidence["auc_to_nearest_class"] for one in found]) < 0.54
    assert {one.evidence["size"] for one in found} == {400}


def test_a_class_of_too_few_exemplars_to_compare_with_is_named(rng: np.random.Generator) -> None:
    classes = {7: _cloud(60, 0, rng), 8: _cloud(19, -2, rng)}
    evidence = judge(_cloud(60, 2, rng), np.arange(60), np.full(60, 0.01), 1.0, classes, 30, rng).evidence
    assert (evidence["nearest_class"], evidence["not_compared_with"]) == (7, "class 8")


def test_no_class_may_be_so_small_that_it_cannot_be_compared_with_the_others() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 20"):
        NoveltyConfiguration(smallest_class=SMALLEST_SIDE - 1)
    NoveltyConfiguration(smallest_class=SMALLEST_SIDE)


def test_of_a_large_cluster_a_sample_is_compared_and_of_a_small_one_every_face(
    rng: np.random.Generator,
) -> None:
    classes = {7: _cloud(100, 0, rng)}
    for size in (60, 20 * LARGEST_SIDE):
        same, new = (_cloud(size, shift, rng) for shift in (0, 2))
        assert judge(same, np.arange(size), np.full(size, 0.01), 1.0, classes, 30, rng).same_as == 7
        assert judge(new, np.arange(size), np.full(size, 0.01), 1.0, classes, 30, rng).accepted
    by_itself = judge_same(_cloud(60, 1, np.random.default_rng(1)), classes[7], np.random.default_rng(2))
    judged = judge(
        _cloud(60, 1, np.random.default_rng(1)),
        np.arange(60),
        np.full(60, 0.01),
        1.0,
        classes,
        30,
        np.random.default_rng(2),
    )
    assert judged.evidence["auc_to_nearest_class"] == round(by_itself.auc, 4)


def test_the_neighbour_score_is_the_distance_to_the_kth_known_face() -> None:
    known = np.array([[0.0, 0], [1, 0], [2, 0]], np.float32)
    score = NearestNeighbourScore(k=2).fit(known, np.zeros(3, np.int64))
    assert score.score(np.array([[0.0, 0], [4, 0]], np.float32)).tolist() == [1.0, 3.0]


def test_the_neighbour_score_needs_as_many_faces_as_neighbours() -> None:
    with pytest.raises(BadInput, match="3 known faces for k = 10"):
        NearestNeighbourScore().fit(np.zeros((3, 2), np.float32), np.zeros(3, np.int64))
