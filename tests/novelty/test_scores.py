"""What holds for every open-set score, because it is in the registry; and formulas by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from owcl.errors import BadInput, NotFound
from owcl.novelty.base import OpenSetScore
from owcl.novelty.calibration import conformal_p_values, realised_rate_range
from owcl.novelty.scores.energy import energy
from owcl.novelty.scores.mahalanobis import squared_distances
from owcl.novelty.scores.registry import SCORES, score_named
from owcl.novelty.scores.softmax import doubt

World = tuple[NDArray[np.float32], NDArray[np.int64]]
every_score = pytest.mark.parametrize("name", SCORES)


def unit(points: NDArray[np.float64]) -> NDArray[np.float32]:
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def known_faces(count: int, rng: np.random.Generator) -> World:
    """Four classes in eight of 24 dimensions, as a trained network would press them."""
    means = np.random.default_rng(7).normal(size=(4, 24)) * ([1.0] * 8 + [0.1] * 16)
    labels = np.arange(count) % 4
    return unit(means[labels] + rng.normal(size=(count, 24)) * ([0.35] * 8 + [0.08] * 16)), labels


def novel_faces(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    mean = np.random.default_rng(8).normal(size=24) * ([0.5] * 8 + [0.35] * 16)
    return unit(mean + rng.normal(size=(count, 24)) * ([0.35] * 8 + [0.08] * 16))


@pytest.fixture(scope="module")
def fitted() -> dict[str, OpenSetScore]:
    embeddings, labels = known_faces(400, np.random.default_rng(0))
    return {name: score_named(name).fit(embeddings, labels) for name in SCORES}


@every_score
def test_novel_faces_score_higher(
    name: str, fitted: dict[str, OpenSetScore], rng: np.random.Generator
) -> None:
    scores = fitted[name].score(np.concatenate([known_faces(200, rng)[0], novel_faces(200, rng)]))
    assert roc_auc_score(np.repeat([0, 1], 200), scores) > 0.8


@every_score
def test_the_stated_false_alarm_rates_hold_on_fresh_known_faces(
    name: str, fitted: dict[str, OpenSetScore], rng: np.random.Generator
) -> None:
    calibration = fitted[name].score(known_faces(500, rng)[0])
    p_values = conformal_p_values(calibration, fitted[name].score(known_faces(4000, rng)[0]))
    for rate in (0.01, 0.05, 0.10):
        low, high = realised_rate_range(500, rate, coverage=0.999)
        noise = 3 * np.sqrt(rate / 4000)
        assert low - noise <= (p_values <= rate).mean() <= high + noise


@every_score
def test_a_face_scores_the_same_whoever_is_beside_it(
    name: str, fitted: dict[str, OpenSetScore], rng: np.random.Generator
) -> None:
    faces = novel_faces(20, rng)
    together = fitted[name].score(faces)
    assert together.shape == (20,)
    np.testing.assert_allclose(fitted[name].score(faces[::-1])[::-1], together, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(fitted[name].score(faces[3:4]), together[3:4], rtol=1e-5, atol=1e-7)


@every_score
def test_no_face_has_no_score(name: str, fitted: dict[str, OpenSetScore]) -> None:
    assert fitted[name].score(np.empty((0, 24), np.float32)).shape == (0,)


@every_score
def test_a_class_may_be_a_single_face(name: str, rng: np.random.Generator) -> None:
    embeddings, labels = known_faces(201, rng)
    labels[0] = 9
    score = score_named(name).fit(embeddings, labels)
    known, novel = score.score(known_faces(200, rng)[0]), score.score(novel_faces(200, rng))
    assert roc_auc_score(np.repeat([0, 1], 200), np.concatenate([known, novel])) > 0.8


@every_score
def test_what_is_not_finite_is_refused(
    name: str, fitted: dict[str, OpenSetScore], rng: np.random.Generator
) -> None:
    faces = novel_faces(20, rng)
    faces[2, 3] = np.nan
    with pytest.raises(BadInput, match="1 entries"):
        fitted[name].score(faces)


def test_two_classes_are_enough_and_one_is_not_for_scores_on_logits(rng: np.random.Generator) -> None:
    embeddings, labels = known_faces(100, rng)
    assert score_named("energy").fit(embeddings, labels % 2).score(embeddings).shape == (100,)
    with pytest.raises(BadInput, match="1 known classes"):
        score_named("energy").fit(embeddings, labels * 0)


def test_between_the_modes_of_a_class_a_face_is_unlikely(rng: np.random.Generator) -> None:
    modes = np.repeat([[1.0, 0.0], [-1.0, 0.0]], 100, axis=0)
    known = (modes + 0.05 * rng.normal(size=(200, 2))).astype(np.float32)
    middle, mode = np.zeros((1, 2), np.float32), np.array([[1, 0]], np.float32)
    score = score_named("mixtures").fit(known, np.zeros(200, np.int64))
    assert score.score(middle) > score.score(mode) + 50
    # To one Gaussian the middle is what is most usual.
    assert score_named("mahalanobis").fit(known, np.zeros(200, np.int64)).score(middle) < 0.1


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(NotFound, match="neighbours, softmax"):
        score_named("entropy")


def test_e23_mahalanobis_energy_and_softmax() -> None:
    point, means = np.array([[2.0, 2.0]]), np.array([[0.0, 0.0], [4.0, 0.0]])
    shared = squared_distances(point, means, np.linalg.inv(np.diag([1.0, 4.0])))
    np.testing.assert_allclose(shared, [[5.0, 5.0]])
    whole = squared_distances(point, np.array([[2.0, 0.0]]), np.linalg.inv(np.diag([5.0, 4.0])))
    assert shared.min() - whole[0, 0] == pytest.approx(4.0)
    logits = np.array([[2.0, 1.0, 0.0]])
    assert energy(logits)[0] == pytest.approx(-2.407606, abs=1e-6)
    assert 1 - doubt(logits)[0] == pytest.approx(0.665241, abs=1e-6)
