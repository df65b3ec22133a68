"""SimGCD by numbers: the small example of its specification."""

from __future__ import annotations

import math

import pytest
import torch
from torch import tensor
from torch.nn import functional

from owcl.learners.contrastive import cosine_logits, info_nce, self_distillation, supervised_contrastive
from owcl.learners.losses import mean_entropy

FIRST = tensor([[0.6, 0.2, 0.1], [0.1, 0.3, 0.5]])
SECOND = tensor([[0.5, 0.3, 0.0], [0.2, 0.4, 0.3]])
ONE, OTHER = tensor([[1.0, 0.0], [0.0, 1.0]]), tensor([[0.8, 0.6], [0.6, 0.8]])


def test_the_labelled_face_counts_in_both_views() -> None:
    views = torch.stack([FIRST[0], SECOND[0]]) / 0.1
    assert functional.cross_entropy(views, tensor([0, 0])).item() == pytest.approx(0.078795, abs=1e-6)


@pytest.mark.parametrize(("sharpness", "expected"), [(0.07, 0.901865), (0.04, 0.897495)])
def test_each_view_predicts_the_other(sharpness: float, expected: float) -> None:
    assert self_distillation(FIRST, SECOND, sharpness).item() == pytest.approx(expected, abs=1e-6)


def test_the_view_that_teaches_carries_no_gradient() -> None:
    # Where both views say the same, the teacher is a constant: at its own temperature nothing would move.
    same = FIRST.clone().requires_grad_()
    self_distillation(same, FIRST, 0.1).backward()
    assert same.grad is not None
    assert same.grad.abs().max() < 1e-5


def test_the_mean_prediction_is_uneven() -> None:
    both = torch.cat([FIRST, SECOND]) / 0.1
    assert math.log(3) - mean_entropy(both).item() == pytest.approx(0.054260, abs=1e-6)


def test_views_are_told_from_all_others() -> None:
    assert info_nce(ONE, OTHER).item() == pytest.approx(0.957474, abs=1e-6)


@pytest.mark.parametrize(("labels", "expected"), [([0, 0], 3.698046), ([0, 1], 1.221856)])
def test_views_of_a_class_come_together(labels: list[int], expected: float) -> None:
    loss = supervised_contrastive(ONE, OTHER, tensor(labels), 0.07)
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_without_labels_there_is_nothing_to_bring_together() -> None:
    nothing = torch.zeros(0, dtype=torch.int64)
    assert supervised_contrastive(ONE[:0], OTHER[:0], nothing, 0.07).item() == 0


def test_lengths_do_not_count_in_cosines() -> None:
    cosines = cosine_logits(tensor([[3.0, 4.0]]), tensor([[2.0, 0.0], [0.0, 0.5], [-6.0, -8.0]]))
    torch.testing.assert_close(cosines, tensor([[0.6, 0.8, -1.0]]))
