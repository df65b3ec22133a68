from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, tensor
from torch.nn import functional
from torch.testing import assert_close

from owcl.errors import BadInput
from owcl.learners.distillation import der_plus_plus, feature_distillation, lwf_loss, stored_logits_error
from owcl.learners.losses import (
    group_entropy,
    margin_cross_entropy,
    mean_entropy,
    pair_loss,
    prior_divergence,
)
from owcl.learners.pseudo_labels import csp_loss, gumbel_noise, soft_pseudo_labels


@pytest.fixture
def logits() -> Tensor:
    return 3 * torch.randn(8, 5, generator=torch.Generator().manual_seed(2))


def test_pair_loss_agrees_with_binary_cross_entropy_of_the_dots(logits: Tensor) -> None:
    partners = tensor([1, 0, 2, 5, 4, 3, 0, 1])
    probabilities = logits.softmax(dim=1)
    dots = (probabilities * probabilities[partners]).sum(dim=1)
    assert_close(pair_loss(logits, partners), functional.binary_cross_entropy(dots, torch.ones(8)))


def test_certain_images_that_disagree_still_get_a_gradient() -> None:
    logits = tensor([[300.0, 0.0], [0.0, 300.0]], requires_grad=True)
    loss = pair_loss(logits, tensor([1, 0]))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert math.isclose(loss.item(), 300 - math.log(2), rel_tol=1e-6)
    assert_close(gradient, tensor([[0.5, -0.5], [-0.5, 0.5]]))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_dropped_pairs_count_as_nothing(logits: Tensor, share: float) -> None:
    taking_part = torch.arange(8) < 8 * share
    each = torch.stack([8 * pair_loss(logits, torch.arange(8), torch.arange(8) == row) for row in range(8)])
    loss = pair_loss(logits, torch.arange(8), taking_part)
    assert_close(loss, (each * taking_part).sum() / 8)


def test_losses_of_no_images_are_nothing() -> None:
    nothing = torch.empty(0, 3)
    assert margin_cross_entropy(nothing, torch.empty(0, dtype=torch.int64)) == 0
    assert csp_loss(nothing, torch.empty(0, dtype=torch.bool), nothing) == 0


def test_mean_entropy_is_largest_for_uniform_use() -> None:
    assert_close(mean_entropy(20 * torch.eye(4)), tensor(math.log(4)))
    assert mean_entropy(tensor([[90.0, 0.0, 0.0]])) < 1e-5


def test_a_uniform_prior_is_the_entropy_term(logits: Tensor) -> None:
    uniform = torch.full((5,), 0.2)
    assert_close(prior_divergence(logits, uniform), math.log(5) - mean_entropy(logits))


def test_divergence_from_the_prior_vanishes_where_it_is_met(logits: Tensor) -> None:
    prior = logits.softmax(dim=1).mean(dim=0)
    assert_close(prior_divergence(logits, prior), tensor(0.0), atol=1e-6, rtol=0)
    assert prior_divergence(logits, prior.flip(0)) > 0


def test_group_entropy_is_largest_for_half_and_half() -> None:
    # Eight old outputs and two new ones, the new ones with half of the mass.
    balanced = tensor([[0.5 / 8] * 8 + [0.25] * 2]).log()
    most = math.log(2) + math.log(8) + math.log(2)
    assert_close(group_entropy(balanced, 8), tensor(most))
    assert group_entropy(torch.zeros(1, 10), 8) < most - 0.1


@pytest.mark.parametrize("num_old", [0, 5])
def test_with_one_group_it_is_the_plain_entropy(logits: Tensor, num_old: int) -> None:
    assert_close(group_entropy(logits, num_old), mean_entropy(logits), atol=1e-5, rtol=0)


def test_soft_pseudo_labels_harden_as_it_gets_colder(logits: Tensor) -> None:
    gumbel = gumbel_noise(logits, torch.Generator().manual_seed(0))
    warm, cold = soft_pseudo_labels(logits, gumbel), soft_pseudo_labels(logits, gumbel, 0.01)
    assert torch.equal(warm.argmax(dim=1), cold.argmax(dim=1))
    assert (cold.max(dim=1).values > warm.max(dim=1).values).all()


def test_gumbel_noise_has_its_mean_and_variance() -> None:
    noise = gumbel_noise(torch.empty(400_000), torch.Generator().manual_seed(1))
    assert noise.mean().item() == pytest.approx(0.577216, abs=0.01)
    assert noise.var().item() == pytest.approx(math.pi**2 / 6, abs=0.03)
    assert noise.isfinite().all()


def test_gumbel_noise_is_drawn_where_its_source_is_and_goes_where_the_logits_are() -> None:
    # The meta device stands for another one than the processor, which every machine has.
    noise = gumbel_noise(torch.empty(2, 3, device="meta"), torch.Generator().manual_seed(1))
    assert noise.device.type == "meta"


def test_half_precision_logits_are_computed_in_float32(logits: Tensor) -> None:
    half = logits.bfloat16()
    labels = torch.arange(8) % 5
    for loss in (mean_entropy(half), pair_loss(half, torch.arange(8)), margin_cross_entropy(half, labels)):
        assert loss.dtype == torch.float32
    assert_close(mean_entropy(half), mean_entropy(half.float()), atol=0, rtol=0)


def test_distillation_is_nothing_where_nothing_changed(logits: Tensor) -> None:
    grown = torch.cat([logits, torch.full((8, 2), 9.0)], dim=1)
    assert_close(lwf_loss(grown, logits), tensor(0.0), atol=1e-6, rtol=0)
    assert feature_distillation(logits, logits) == 0


def test_feature_distillation_is_a_mean_over_faces() -> None:
    assert feature_distillation(tensor([[3.0, 4.0], [0.0, 0.0]]), torch.zeros(2, 2)) == 12.5
    assert feature_distillation(torch.zeros(0, 2), torch.zeros(0, 2)) == 0


def test_stored_logits_count_up_to_their_width() -> None:
    stored = tensor([[1.0, 2.0, torch.nan], [0.0, 0.0, 3.0]])
    logits = torch.zeros(2, 4, requires_grad=True)
    error = stored_logits_error(logits, stored, tensor([2, 3]))
    (gradient,) = torch.autograd.grad(error, logits)
    assert error.item() == pytest.approx((1 + 4 + 9) / 5)
    assert gradient.isfinite().all()


def test_dark_experience_weighs_its_two_parts(logits: Tensor) -> None:
    labels, widths = torch.arange(8) % 5, torch.full((8,), 5)
    only_labels = der_plus_plus(logits, labels, torch.zeros(8, 5), widths, weights=(0.0, 2.0))
    assert_close(only_labels, 2 * functional.cross_entropy(logits, labels))


def test_a_head_that_shrank_cannot_be_distilled(logits: Tensor) -> None:
    with pytest.raises(BadInput, match="the head has 3 outputs, but had 5"):
        lwf_loss(logits[:, :3], logits)
    with pytest.raises(BadInput, match="the head has 3 outputs, but had 5"):
        stored_logits_error(logits[:, :3], logits, torch.full((8,), 5))
