"""The numbers of CAL's specification, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, tensor
from torch.nn import functional
from torch.testing import assert_close

from owcl.learners.consistency import (
    agreed_confidences,
    consistency_loss,
    novel_threshold,
    reinforcement_loss,
    self_calibration,
)
from owcl.learners.losses import mean_entropy
from owcl.memory.pruning import COVERAGE, certain_count, kept_count, pruned
from owcl.models.frequency import FrequencyAttention, cosine_basis

WEAK = tensor(
    [
        [3.0, 0.5, 0.0, -0.5],
        [0.2, 2.5, 0.1, 0.4],
        [3.5, 0.0, 0.2, 0.1],
        [0.1, 0.0, 2.0, 0.3],
        [0.3, 0.2, 0.9, 1.6],
        [0.6, 0.8, 0.4, 0.5],
    ]
)
STRONG = tensor(
    [
        [2.6, 0.6, 0.1, -0.2],
        [0.4, 2.1, 0.0, 0.5],
        [3.0, 0.2, 0.1, 0.3],
        [0.0, 0.2, 1.6, 0.5],
        [0.2, 0.1, 0.7, 1.2],
        [0.9, 0.5, 0.3, 0.6],
    ]
)
TRUTH = tensor([0, 1])
KNOWN = tensor([True, True, False, False])
UNLABELLED = slice(2, 6)


def regulariser(weak: Tensor, strong: Tensor) -> Tensor:
    return 0.5 * (math.log(4) - mean_entropy(torch.cat([weak, strong])))


# Examples 1 and 2


def test_labelled_faces_count_in_both_views() -> None:
    loss = functional.cross_entropy(torch.cat([WEAK[:2], STRONG[:2]]), TRUTH.repeat(2))
    assert loss.item() == pytest.approx(0.269617, abs=1e-6)


def test_the_regulariser_is_half_the_divergence_from_even_use() -> None:
    weak = WEAK.clone().requires_grad_()
    loss = regulariser(weak, STRONG)
    loss.backward()
    assert loss.item() == pytest.approx(0.025738, abs=1e-6)
    assert weak.grad is not None
    assert_close(weak.grad[0], tensor([0.003114, -0.001358, -0.000983, -0.000773]), atol=1e-6, rtol=0)
    assert_close(weak.grad[3], tensor([0.002482, 0.000139, -0.001501, -0.001121]), atol=1e-6, rtol=0)


# Example 3


@pytest.mark.parametrize(
    ("epoch", "expected"), [(0, 0.561483), (9, 0.465824), (24, 0.306393), (49, 0.040673)]
)
def test_consistency_goes_over_to_unconfident_faces(epoch: int, expected: float) -> None:
    loss = consistency_loss(WEAK, STRONG, (epoch + 1) / 50, "sharpened")
    assert loss.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [(0, (0.979122, 0.817715)), (9, (0.799452, 0.698572)), (24, (0.5, 0.5)), (49, (0.000914, 0.169047))],
)
def test_weights_of_the_two_unsure_faces(epoch: int, expected: tuple[float, float]) -> None:
    confidence = (WEAK / 0.1).softmax(dim=1).amax(dim=1)
    weights = self_calibration(confidence, (epoch + 1) / 50)
    assert_close(weights[4:], tensor(expected), atol=1e-6, rtol=0)
    assert_close(weights[:4], torch.full((4,), 1 - (epoch + 1) / 50), atol=2e-6, rtol=0)


def test_consistency_by_plain_confidence() -> None:
    assert consistency_loss(WEAK, STRONG, 0.2, "raw").item() == pytest.approx(0.315581, abs=1e-6)


def test_consistency_moves_the_strong_view_only() -> None:
    weak, strong = WEAK.clone().requires_grad_(), STRONG.clone().requires_grad_()
    consistency_loss(weak, strong, 0.2, "sharpened").backward()
    assert weak.grad is None
    assert strong.grad is not None
    assert_close(strong.grad[4], tensor([0.021244, 0.019223, 0.034905, -0.075372]), atol=1e-6, rtol=0)
    assert_close(strong.grad[5], tensor([0.026241, -0.070380, 0.019815, 0.024323]), atol=1e-6, rtol=0)


# Examples 4 and 5


def test_the_novel_threshold_follows_the_groups_confidences() -> None:
    tally = agreed_confidences(WEAK, STRONG, KNOWN)
    means = tally[:, 0] / tally[:, 1]
    assert_close(tally[:, 1], tensor([3.0, 2.0]))
    assert_close(means, tensor([0.843538, 0.588746]), atol=1e-6, rtol=0)
    assert novel_threshold(tally, 0.9, 10) == pytest.approx(0.628154, abs=1e-6)


def test_labelled_faces_may_be_left_out_of_the_statistics() -> None:
    tally = agreed_confidences(WEAK[UNLABELLED], STRONG[UNLABELLED], KNOWN)
    assert novel_threshold(tally, 0.9, 10) == pytest.approx(0.583099, abs=1e-6)


def test_confident_novel_faces_raise_the_threshold_out_of_reach_unless_it_is_clipped() -> None:
    tally = tensor([[0.6, 1.0], [0.8, 1.0]])
    assert novel_threshold(tally, 0.9, 10) == pytest.approx(1.2)
    assert novel_threshold(tally, 0.9) == pytest.approx(0.9)


def test_an_empty_group_says_nothing() -> None:
    assert novel_threshold(tensor([[2.1, 3.0], [0.0, 0.0]]), 0.9) is None


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [
        ((0.9, 0.628154), 0.239671),
        ((0.9, 0.9), 0.095723),
        ((0.9, 0.0), 0.393439),
        ((0.9, 1.289493), 0.095723),
    ],
)
def test_confident_answers_are_reinforced(thresholds: tuple[float, float], expected: float) -> None:
    weak = WEAK[UNLABELLED]
    loss = reinforcement_loss(weak, weak, KNOWN, thresholds)
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_reinforcement_moves_the_student_where_it_was_selected() -> None:
    weak = WEAK[UNLABELLED].clone().requires_grad_()
    reinforcement_loss(weak, weak, KNOWN, (0.9, 0.628154)).backward()
    assert weak.grad is not None
    assert_close(weak.grad[0], tensor([-0.045642, 0.013720, 0.016758, 0.015163]), atol=1e-6, rtol=0)
    assert_close(weak.grad[1], tensor([0.050957, 0.046108, -0.159305, 0.062239]), atol=1e-6, rtol=0)
    assert not weak.grad[2:].any()


# Examples 7 to 9


@pytest.mark.parametrize(
    ("usage", "certain", "kept"),
    [
        ([650, 300, 40, 6, 4], 2, 4),
        ([50, 30, 10, 5, 3, 1, 1], 4, 6),
        ([60, 20, 10, 4, 3, 2, 1], 4, 7),
        ([500, 300, 150, 30, 0, 0, 0, 0, 0, 0], 2, 5),
        ([96, 2, 1, 1], 0, 2),
        ([90, 4, 3, 3], 2, 4),
        ([7, 0, 0, 0], 0, 2),
        ([100, 100, 100, 100], 3, 4),
        ([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 8, 10),
        ([0, 0, 0], 3, 3),
    ],
)
def test_rows_that_survive_pruning(usage: list[int], certain: int, kept: int) -> None:
    shuffled = np.random.default_rng(0).permutation(usage)
    assert certain_count(shuffled) == certain
    assert kept_count(shuffled) == kept


def test_low_rows_are_merged_into_the_most_similar_one_that_is_kept() -> None:
    rows = np.array([[2, 0], [0, 1], [1, 1], [-0.3, 0.4], [0.6, 0.1]])
    result = pruned(rows, np.array([300, 40, 650, 6, 4]))
    np.testing.assert_allclose(
        result.prototypes, [[1, 1], [0.999261, 0.038433], [0, 1], [-0.3, 0.4]], atol=1e-6
    )
    assert result.rows.tolist() == [2, 0, 1, 3]
    assert result.absorbed.tolist() == [1, 2, 0, 3, 1]


def test_nothing_goes_while_the_two_least_used_rows_answer_for_more_than_coverage_leaves(
    rng: np.random.Generator,
) -> None:
    usages = [rng.integers(1, 200, rng.integers(2, 12)) for _ in range(500)]
    fixed = [usage for usage in usages if np.sort(usage)[:2].sum() > (1 - COVERAGE) * usage.sum()]
    assert len(fixed) > 100
    assert all(kept_count(usage) == len(usage) for usage in fixed)


def test_of_a_tail_of_three_the_last_stays_exactly_if_the_middle_is_no_less_than_the_mean(
    rng: np.random.Generator,
) -> None:
    for _ in range(200):
        high, middle, low = np.sort(rng.integers(0, 20, 3))[::-1].tolist()
        usage = np.array([3000, high, middle, low])
        assert certain_count(usage) == 0
        usage = np.array([300, 300, high, middle, low])
        if certain_count(usage) == 2:
            assert (kept_count(usage) == 5) == (2 * middle >= high + low)


# Example 10


def test_the_unnormalised_transform_of_a_ramp() -> None:
    line = cosine_basis(4, orthonormal=False) @ tensor([1.0, 2.0, 3.0, 4.0])
    assert_close(line, tensor([20.0, -6.308644, 0.0, -0.448342]), atol=1e-5, rtol=0)
    basis = cosine_basis(2, orthonormal=False)
    block = basis @ tensor([[1.0, 2.0], [3.0, 4.0]]) @ basis.T
    assert_close(block, tensor([[40.0, -5.656854], [-11.313708, 0.0]]), atol=1e-5, rtol=0)


def test_orthonormal_or_not_the_transform_can_be_taken_back() -> None:
    image = torch.rand(8, 8, generator=torch.Generator().manual_seed(0))
    for orthonormal in (True, False):
        basis = cosine_basis(8, orthonormal)
        there = basis @ image @ basis.T
        inverse = torch.linalg.inv(basis)
        assert_close(inverse @ there @ inverse.T, image, atol=1e-5, rtol=0)
    assert_close(cosine_basis(8) @ cosine_basis(8).T, torch.eye(8), atol=1e-6, rtol=0)


IMAGE = tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]], [[2.0, 2.0], [2.0, 2.0]]]])


class GivenMask(torch.nn.Module):
    """A mask that does not depend on the spectrum."""

    def forward(self, spectrum: Tensor) -> Tensor:
        return torch.special.logit(tensor([[[[1.0, 0.5], [0.5, 0.0]]]]), eps=1e-7)


def test_attention_is_what_the_mask_leaves_of_the_image() -> None:
    attention = FrequencyAttention(orthonormal=False)
    attention.mask = GivenMask()  # type: ignore[assignment]
    found = attention(IMAGE)[0, 0]
    assert_close(found, tensor([[0.777300, 0.804815], [0.829676, 0.851953]]), atol=1e-5, rtol=0)
    assert found.mean().item() == pytest.approx(0.815936, abs=1e-5)


@pytest.mark.parametrize("orthonormal", [True, False])
def test_a_mask_of_one_half_leaves_half_of_the_image(orthonormal: bool) -> None:
    attention = FrequencyAttention(orthonormal)
    last = attention.mask[2]
    assert isinstance(last, torch.nn.Conv2d)
    torch.nn.init.zeros_(last.weight)
    assert last.bias is not None
    torch.nn.init.zeros_(last.bias)
    expected = tensor([[0.622459, 0.660756], [0.697059, 0.731059]])
    assert_close(attention(IMAGE)[0, 0], expected, atol=1e-5, rtol=0)
