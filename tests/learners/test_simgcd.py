"""SimGCD finds what nobody labelled; its losses by hand on faces of one colour."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from owcl.engine.baselines import give_head_start
from owcl.learners.base import UNLABELLED, Batch
from owcl.learners.simgcd import Recipe, SimGCD
from owcl.models.network import Network
from tests.learners.test_learners import Stream, learn

RED, GREEN = (255, 0, 0), (0, 255, 0)


class Colours(nn.Module):
    """A backbone whose map is the image itself; no view changes a face of one colour."""

    widths = (3,)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images]


def red_and_green() -> Batch:
    """Four red faces with label 0 and four green ones without."""
    images = torch.tensor([RED] * 4 + [GREEN] * 4, dtype=torch.uint8)[:, :, None, None].expand(8, 3, 8, 8)
    return Batch(images.contiguous(), torch.tensor([0] * 4 + [UNLABELLED] * 4))


def learner(recipe: Recipe | None = None) -> SimGCD:
    """Prototypes near blue, of which the first is a little on the red side, and of unequal lengths."""
    network = Network(Colours(), 2)
    network.set_outputs(torch.tensor([[1.0, -1.0, 20.0], [-3.0, 3.0, 60.0]]))
    return SimGCD(network, torch.Generator().manual_seed(0), recipe)


# The neck makes (1, -1, 0) and (-1, 1, 0) of red and green, whose cosines with the prototypes are
# 2 / sqrt(2 * 402) and the same below zero.
APART = 4 / math.sqrt(2 * 402)


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


@pytest.fixture(scope="module")
def stream() -> Stream:
    return Stream()


@pytest.mark.parametrize("seed", range(3))
def test_two_unlabelled_methods_are_told_apart_and_the_known_are_not_forgotten(
    stream: Stream, seed: int
) -> None:
    network = stream.grown()
    before, _ = stream.accuracies(network)
    assert stream.share_in_new_outputs(network) == 0
    give_head_start(
        network, stream.network, stream.images.numpy(), stream.labels, np.random.default_rng(seed)
    )
    peer = SimGCD(network, torch.Generator().manual_seed(seed), teacher=stream.network)
    learn(peer, stream.images, stream.labels, 120)
    known, novel = stream.accuracies(network)
    # One heap for both would be right for half of them.
    assert novel > 0.8
    assert known > before - 0.05


@pytest.mark.parametrize(("progress", "sharpness"), [(0.0, 0.07), (0.075, 0.055), (0.15, 0.04), (0.9, 0.04)])
def test_the_teaching_view_sharpens_over_the_first_steps(progress: float, sharpness: float) -> None:
    batch = red_and_green()
    losses = learner().losses(Batch(batch.images, batch.labels, progress))
    share = 1 / (1 + math.exp(-APART / sharpness))
    expected = share * softplus(-APART / 0.1) + (1 - share) * softplus(APART / 0.1)
    assert losses["self_distillation"].item() == pytest.approx(0.65 * expected, abs=1e-5)


def test_labels_weigh_about_a_third_and_an_even_mean_prediction_costs_nothing() -> None:
    losses = learner().losses(red_and_green())
    assert losses["cross_entropy"].item() == pytest.approx(0.35 * softplus(-APART / 0.1), abs=1e-5)
    assert losses["entropy"].item() == pytest.approx(0, abs=1e-6)


def test_a_batch_that_uses_one_output_pays_for_the_other() -> None:
    batch = red_and_green()
    only_red = Batch(batch.images[:4], batch.labels[:4])
    peer = learner().eval()
    share = 1 / (1 + math.exp(-2 * 2 / math.sqrt(3 * 402) / 0.1))
    # In evaluation mode the neck leaves red at (1, -1, -1); blue takes as much from both cosines.
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    losses = peer.losses(only_red)
    assert losses["entropy"].item() == pytest.approx(0.65 * (math.log(2) - entropy), abs=1e-4)


def test_beside_a_teacher_new_outputs_are_to_get_half_however_many_old_ones_there_are() -> None:
    taught = SimGCD(learner().network, torch.Generator().manual_seed(0), teacher=Network(Colours(), 1))
    # One old and one new output with half of the faces each is as even as it gets.
    assert taught.losses(red_and_green())["entropy"].item() == pytest.approx(0, abs=1e-6)
    network = Network(Colours(), 3)
    network.set_outputs(torch.tensor([[1.0, -1.0, 20.0], [1.0, -1.0, 20.0], [-1.0, 1.0, 20.0]]))
    two_old = SimGCD(network, torch.Generator().manual_seed(0), teacher=Network(Colours(), 2))
    red = 1 / (2 + math.exp(-APART / 0.1))
    new = (1 - 2 * red + 1 / (1 + 2 * math.exp(-APART / 0.1))) / 2
    between = -new * math.log(new) - (1 - new) * math.log(1 - new)
    paid = two_old.losses(red_and_green())["entropy"].item()
    assert paid == pytest.approx(0.65 * (math.log(2) - between), abs=1e-5)


def test_prototypes_are_brought_to_unit_length() -> None:
    peer = learner()
    peer.losses(red_and_green())
    unit = torch.tensor([[1.0, -1.0, 20.0], [-1.0, 1.0, 20.0]]) / math.sqrt(402)
    torch.testing.assert_close(peer.network.head.weight.detach(), unit)


def test_batches_are_labelled_at_even_odds() -> None:
    labels = np.array([0] * 5 + [1] * 15 + [UNLABELLED] * 180)
    peer = learner()
    batches = peer.batches(labels, np.random.default_rng(0))
    rows = np.stack([next(batches) for _ in range(100)])
    assert rows.shape == (100, 128)
    assert (labels[rows] >= 0).mean() == pytest.approx(0.5, abs=0.02)
