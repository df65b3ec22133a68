"""Memory, distillation and growth by numbers: examples E10 to E14 of the continual specification."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import tensor
from torch.nn import functional

from owcl.learners.distillation import der_plus_plus, lwf_loss, stored_logits_error
from owcl.learners.kmeans import head_start
from owcl.learners.losses import group_entropy, mean_entropy
from owcl.memory.analytic import AnalyticHead, recursive_update
from owcl.memory.prototypes import hardness, shared_radius
from owcl.memory.selection import herding, stratified

TO_SIX = {"atol": 1e-6, "rtol": 0}


def test_e10_herding_stays_near_the_mean() -> None:
    features = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 2.0], [1.0, 1.0], [3.0, 1.0]])
    chosen = herding(features, 3)
    assert chosen.tolist() == [3, 2, 0]
    means = [features[chosen[:count]].mean(axis=0) for count in (1, 2, 3)]
    distances = np.linalg.norm(np.array(means) - [1.6, 1.2], axis=1)
    np.testing.assert_allclose(distances, [0.632456, 0.316228, 0.210819], **TO_SIX)


def test_e11_stratified_takes_a_stable_face_and_its_opposite_from_every_ring() -> None:
    features = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0], [0.0, -3.0], [4.0, 0.0], [0.0, 5.0]])
    stability = np.array([0.9, 0.5, 0.7, 0.6, 0.8, 0.95])
    assert stratified(features, stability, np.zeros(2), 4).tolist() == [0, 5, 2, 3]


def test_e12_classes_like_others_are_hard() -> None:
    directions = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    np.testing.assert_allclose(hardness(directions), [0.046613, 0.936240, 0.017148], **TO_SIX)


def test_e12_the_radius_is_shared() -> None:
    features = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 0.0], [0.0, 4.0]])
    assert shared_radius(features, np.array([0, 0, 1, 1])) == pytest.approx(1.118034, abs=1e-6)


W_FIRST = np.eye(2) / 1.1
W_THREE = np.array([[0.615836, -0.293255, 0.322581], [-0.293255, 0.615836, 0.322581]])


@pytest.fixture
def head() -> AnalyticHead:
    """Two classes of one face each, then a third one of one face."""
    head = AnalyticHead(2)
    head.add(np.eye(2), np.array([1, 2]), np.ones(2))
    np.testing.assert_allclose(head.weights, W_FIRST, **TO_SIX)
    head.add(np.ones((1, 2)), np.array([3]), np.ones(1))
    return head


def test_e13_the_head_is_the_ridge_solution(head: AnalyticHead) -> None:
    np.testing.assert_allclose(head.weights, W_THREE, **TO_SIX)
    np.testing.assert_allclose(
        head.scores(np.array([[0.6, 0.5]])), [[0.222874, 0.131965, 0.354839]], **TO_SIX
    )


def test_e13_the_recursive_form_agrees() -> None:
    inverse, weights = recursive_update(W_FIRST, W_FIRST, np.ones((1, 2)), np.array([[0.0, 0.0, 1.0]]))
    np.testing.assert_allclose(inverse, W_THREE[:, :2], **TO_SIX)
    np.testing.assert_allclose(weights, W_THREE, **TO_SIX)


HALF = np.array([[0.692641, -0.216450, 0.238095], [-0.216450, 0.692641, 0.238095]])


def test_e13_a_face_of_half_weight() -> None:
    head = AnalyticHead(2)
    head.add(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([1, 2, 3]), np.array([1, 1, 0.5]))
    np.testing.assert_allclose(head.weights, HALF, **TO_SIX)


def test_e13_a_face_of_half_weight_recursively() -> None:
    root = np.sqrt(0.5)
    _, weights = recursive_update(
        W_FIRST, W_FIRST, root * np.ones((1, 2)), root * np.array([[0.0, 0.0, 1.0]])
    )
    np.testing.assert_allclose(weights, HALF, **TO_SIX)


def test_e13_rejecting_goes_back(head: AnalyticHead) -> None:
    head.reject(3)
    assert head.class_ids.tolist() == [1, 2]
    np.testing.assert_allclose(head.weights, W_FIRST, **TO_SIX)


def test_e13_merging_is_refitting(head: AnalyticHead) -> None:
    head.merge(3, 1)
    np.testing.assert_allclose(head.weights, [[0.938416, -0.293255], [0.029326, 0.615836]], **TO_SIX)


MEAN_PREDICTION = tensor([[0.5, 0.2, 0.2, 0.1]]).log()


def test_e13b_group_entropy_is_between_and_inside() -> None:
    assert -group_entropy(MEAN_PREDICTION, 2).item() == pytest.approx(
        -0.610864 - 0.598270 - 0.636514, abs=2e-6
    )


def test_e13b_without_renormalising_it_is_between_and_over_all() -> None:
    between = -group_entropy(tensor([[0.7, 0.3]]).log(), 1)
    assert between.item() == pytest.approx(-0.610864, abs=1e-6)
    assert (between - mean_entropy(MEAN_PREDICTION)).item() == pytest.approx(-1.831472, abs=1e-6)


def test_e13c_the_centre_least_like_the_head_becomes_its_new_row() -> None:
    centres = np.array([[0.98, 0.2], [0.1, 0.99], [-0.7, 0.71], [0.6, -0.8], [0.71, 0.7]], np.float32)
    # Rows of lengths 1 and 3: the new row has length 2.
    rows = np.array([[1.0, 0.0], [0.0, 3.0]], np.float32)
    np.testing.assert_allclose(head_start(centres, rows, 1), [[1.2, -1.6]], rtol=1e-6)


OLD_LOGITS, NEW_LOGITS = tensor([[2.0, 1.0, 0.0]]), tensor([[1.0, 1.5, 0.0, 0.5]])


def test_e14_learning_without_forgetting() -> None:
    assert lwf_loss(NEW_LOGITS, OLD_LOGITS).item() == pytest.approx(0.230482, abs=1e-6)


def test_e14_dark_experience() -> None:
    label, width = tensor([0]), tensor([3])
    assert stored_logits_error(NEW_LOGITS, OLD_LOGITS, width).item() == pytest.approx(0.416667, abs=1e-6)
    assert functional.cross_entropy(NEW_LOGITS, label).item() == pytest.approx(1.287339, abs=1e-6)
    loss = der_plus_plus(NEW_LOGITS, label, OLD_LOGITS, width)
    torch.testing.assert_close(loss, tensor(0.768669), atol=1e-6, rtol=0)
