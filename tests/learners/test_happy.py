"""The Happy-style learner finds what nobody labelled; prototypes and replay by hand on plain colours."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from owcl.engine.baselines import give_head_start
from owcl.learners.base import UNLABELLED, Batch
from owcl.learners.happy import Happy
from owcl.memory.prototypes import prototypes, shared_radius
from owcl.models.network import Network
from tests.learners.test_learners import Stream, learn

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
NEAR_RED, NEAR_GREEN = (255, 51, 0), (51, 255, 0)
SEPARATE = [[2.0, -1.0, -1.0], [-1.0, 2.0, -1.0], [-1.0, -1.0, 2.0]]
"""Rows of a head, one for each colour."""


class Colours(nn.Module):
    """A backbone whose map is the image itself; no view changes a face of one colour."""

    widths = (3,)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images]


def faces(*colours: tuple[int, int, int]) -> Tensor:
    return torch.tensor(colours, dtype=torch.uint8)[:, :, None, None].expand(-1, 3, 8, 8).contiguous()


def three_colours() -> Batch:
    """Red is class 0 and green class 1; blue has come in without labels."""
    return Batch(faces(*[RED] * 8, *[GREEN] * 8, *[BLUE] * 8), torch.tensor([0] * 8 + [1] * 8 + [-1] * 8))


def learner(rows: list[list[float]]) -> Happy:
    """Two old outputs with the first two rows, and a new one with each of the others."""
    teacher, network = Network(Colours(), 2), Network(Colours(), len(rows))
    teacher.set_outputs(torch.tensor(rows[:2]))
    network.set_outputs(torch.tensor(rows))
    return Happy(network, torch.Generator().manual_seed(0), teacher=teacher)


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
    peer = Happy(network, torch.Generator().manual_seed(seed), teacher=stream.network)
    learn(peer, stream.images, stream.labels, 60)
    known, novel = stream.accuracies(network)
    # One heap for both would be right for half of them.
    assert novel > 0.8
    assert known > before - 0.05


@pytest.mark.parametrize("label", [UNLABELLED, 2, 3])
def test_prototypes_are_those_that_it_was_given_at_unit_length_with_labels_or_without(label: int) -> None:
    # None of the two new ones is where a clustering of the batch would put it, which is on blue.
    rows = [[2.0, -1.0, -1.0], [-1.0, 2.0, -1.0], [3.0, 4.0, 0.0], [0.0, -5.0, 12.0]]
    peer, batch = learner(rows), three_colours()
    labels = torch.where(batch.labels == UNLABELLED, label, batch.labels)
    peer.losses(Batch(batch.images, labels))
    expected = torch.nn.functional.normalize(torch.tensor(rows), dim=1)
    torch.testing.assert_close(peer.network.head.weight.detach(), expected)


def test_replay_asks_for_the_old_classes_of_drawn_features() -> None:
    # Both old prototypes are as near to red as to green, and the new one is opposite.
    peer = learner([[1.0, 1.0, -2.0], [1.0, 1.0, -2.0], [-1.0, -1.0, 2.0]])
    losses = peer.losses(three_colours())
    # Cosines are 2 / sqrt(18) twice and -2 / sqrt(18); faces of one colour have no spread.
    expected = math.log(2 + math.exp(-4 / math.sqrt(18) / 0.1))
    assert losses["replay"].item() == pytest.approx(expected, abs=1e-5)


def test_statistics_are_those_of_all_labelled_faces_so_far_in_the_features_of_the_teacher() -> None:
    peer = learner(SEPARATE)
    for first, second in ((RED, GREEN), (NEAR_RED, NEAR_GREEN)):
        peer.losses(Batch(faces(first, second, BLUE, BLUE), torch.tensor([0, 1, UNLABELLED, UNLABELLED])))
    # The teacher's neck has seen nothing and passes colours on as they are, in [-1, 1].
    seen = torch.tensor([RED, GREEN, NEAR_RED, NEAR_GREEN]) / 127.5 - 1
    features, labels = torch.nn.functional.normalize(seen, dim=1).numpy(), torch.tensor([0, 1, 0, 1]).numpy()
    means = peer.sums / peer.counts[:, None]
    directions = torch.nn.functional.normalize(means, dim=1).double().numpy()
    spread = (peer.squares / peer.counts - means.square().sum(dim=1)) / 3
    assert directions == pytest.approx(prototypes(features, labels), abs=1e-6)
    assert spread.mean().sqrt().item() == pytest.approx(shared_radius(features, labels), abs=1e-5)


def test_faces_of_new_classes_are_not_replayed() -> None:
    peer = learner(SEPARATE)
    peer.losses(Batch(faces(RED, GREEN, BLUE, BLUE), torch.tensor([0, 1, 2, UNLABELLED])))
    assert peer.counts.tolist() == [1, 1]


def test_without_a_teacher_nothing_is_old_knowledge() -> None:
    peer = Happy(Network(Colours(), 3), torch.Generator().manual_seed(0))
    assert set(peer.losses(three_colours())) == {"cross_entropy", "self_distillation", "entropy"}
