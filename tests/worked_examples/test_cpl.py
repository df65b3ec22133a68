"""Contrastive pseudo learning by numbers: examples 1 to 7, 9 to 12 and 14 of its specification."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, tensor
from torch.testing import assert_close as torch_close

from owcl.learners import voting
from owcl.learners.losses import margin_cross_entropy, mean_entropy, pair_loss
from owcl.learners.pseudo_labels import csp_loss, gumbel_noise, soft_pseudo_labels
from owcl.learners.sampling import AlternatingSampler
from owcl.learners.similarity import (
    detail_similarity,
    global_similarity,
    haar_details,
    local_similarity,
    patch_pool,
    standardise,
)


def assert_close(actual: Tensor, expected: object, tolerance: float = 1e-5) -> None:
    torch_close(actual, torch.as_tensor(expected, dtype=actual.dtype), atol=tolerance, rtol=0)


# Example 1


@pytest.fixture
def ramp() -> Tensor:
    return torch.arange(64.0).reshape(1, 1, 8, 8)


def test_three_cells_a_side_overlap(ramp: Tensor) -> None:
    rows = [[13.5, 15.5, 17.5], [29.5, 31.5, 33.5], [45.5, 47.5, 49.5]]
    assert_close(patch_pool(ramp, 3)[0, 0], np.ravel(rows))


@pytest.mark.parametrize(("cells", "first", "right", "below"), [(5, 13.5, 14.5, 21.5), (7, 4.5, 5.5, 12.5)])
def test_more_cells_are_smaller(ramp: Tensor, cells: int, first: float, right: float, below: float) -> None:
    pooled = patch_pool(ramp, cells)[0, 0]
    assert_close(pooled[[0, 1, cells]], [first, right, below])


def test_one_cell_is_the_mean(ramp: Tensor) -> None:
    assert_close(patch_pool(ramp, 1), [[[31.5]]])


# Example 2; images A, B, C of two patches with two channels, here as (B, D, P)

PATCHES = tensor(
    [[[3.0, 0.0], [0.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]], [[0.0, 2.0], [0.0, 1.0]]],
).transpose(1, 2)


def test_local_similarity_weighs_by_the_first_image() -> None:
    expected = [[1.4, 1.4, 0.8], [1.414214, 1.414214, 0.707107], [0.447214, 0.447214, 1.341641]]
    assert_close(local_similarity(PATCHES), expected)


def test_global_similarity_is_the_cosine() -> None:
    similarity = global_similarity(PATCHES.mean(dim=2))
    assert_close(similarity[[0, 0, 1], [1, 2, 2]], [0.989949, 0.8, 0.707107])


# Example 3; image 0 is labelled

SEEN_GLOBALLY = tensor(
    [
        [1.0, 0.2, 0.6, 0.3, 0.1],
        [0.2, 1.0, 0.3, 0.8, 0.4],
        [0.6, 0.3, 1.0, 0.1, 0.5],
        [0.3, 0.8, 0.1, 1.0, 0.7],
        [0.1, 0.4, 0.5, 0.7, 1.0],
    ]
)
SEEN_LOCALLY = tensor(
    [
        [1.9, 0.4, 1.0, 0.5, 0.2],
        [0.4, 2.0, 0.6, 1.4, 0.7],
        [1.3, 0.6, 2.4, 0.2, 1.1],
        [0.5, 1.5, 0.2, 2.2, 1.2],
        [0.3, 1.7, 0.9, 1.6, 2.6],
    ]
)


def test_neighbours_are_others() -> None:
    assert voting.nearest(SEEN_GLOBALLY)[1:].tolist() == [3, 0, 1, 3]
    assert voting.nearest(SEEN_LOCALLY)[1:].tolist() == [3, 0, 1, 1]


@pytest.mark.parametrize(
    ("rule", "votes", "partners"),
    [
        (voting.official, [False, True, False, True], [1, 0, 3, 3]),
        (voting.mutual_top1, [True, True, True, False], [3, 0, 1, 4]),
    ],
)
def test_the_two_rules_vote_differently(
    rule: Callable[[Tensor, Tensor], Tensor], votes: list[bool], partners: list[int]
) -> None:
    cast = rule(SEEN_GLOBALLY, SEEN_LOCALLY)
    assert cast[1:].tolist() == votes
    labels = tensor([7, -1, -1, -1, -1])
    chosen = voting.partners(labels, voting.nearest(SEEN_GLOBALLY), cast, torch.rand(5, 5))
    assert chosen.tolist() == [0, *partners]


# Examples 4, 7 and 12

FOUR = tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]]).log()


def test_pair_loss_is_the_mean_surprise_of_agreement() -> None:
    assert_close(pair_loss(FOUR, tensor([2, 1, 0, 1])), 0.817333)


def test_pair_loss_moves_both_members() -> None:
    logits = FOUR.clone().requires_grad_()
    # Of the four terms only the one of image 0 takes part; the mean is still over four.
    only_first = tensor([True, False, False, False])
    (gradient,) = torch.autograd.grad(4 * pair_loss(logits, tensor([2, 1, 0, 1]), only_first), logits)
    assert_close(gradient[0], [-0.157143, 0.077551, 0.079592])
    assert_close(gradient[2], [-0.257143, 0.177551, 0.079592])
    assert_close(gradient[[1, 3]], torch.zeros(2, 3))


def test_an_image_paired_with_itself_is_sharpened() -> None:
    logits = FOUR.clone().requires_grad_()
    only_second = tensor([False, True, False, False])
    (gradient,) = torch.autograd.grad(4 * pair_loss(logits, tensor([2, 1, 0, 1]), only_second), logits)
    assert_close(gradient[1], [0.169697, -0.339394, 0.169697])


def test_entropy_is_that_of_the_mean_prediction() -> None:
    assert_close(mean_entropy(FOUR), 1.069950)


# Example 5

SLOPE = tensor([[2.0, 1.0, 0.0]])
NOISE = tensor([[0.1, 0.9, -0.4], [-0.3, 1.6, 0.0]])


def test_soft_pseudo_labels_follow_the_noise() -> None:
    expected = [[0.526090, 0.430726, 0.043184], [0.274553, 0.675291, 0.050156]]
    assert_close(soft_pseudo_labels(SLOPE.repeat(2, 1), NOISE), expected)


@pytest.mark.parametrize(
    ("row", "value", "detached", "released"),
    [
        (0, 0.615148, [0.092569, -0.123733, 0.031164], [0.298495, -0.274277, -0.024218]),
        (1, 0.289565, [0.095613, -0.105371, 0.009758], [-0.097018, 0.113329, -0.016311]),
    ],
)
def test_confidence_may_carry_gradient(
    row: int, value: float, detached: list[float], released: list[float]
) -> None:
    for conf_grad, expected in ((False, detached), (True, released)):
        logits = SLOPE.clone().requires_grad_()
        loss = csp_loss(logits, tensor([True]), NOISE[row : row + 1], conf_grad)
        assert_close(loss, value)
        assert_close(torch.autograd.grad(loss, logits)[0], [expected])


@pytest.mark.parametrize(("votes", "expected"), [([True, False], 0.307574), ([True, True], 0.452357)])
def test_the_mean_is_over_all_unlabelled_images(votes: list[bool], expected: float) -> None:
    assert_close(csp_loss(SLOPE.repeat(2, 1), tensor(votes), NOISE), expected)


def test_the_class_drawn_is_distributed_as_the_prediction() -> None:
    logits = SLOPE.expand(200_000, 3)
    drawn = soft_pseudo_labels(logits, gumbel_noise(logits, torch.Generator().manual_seed(5))).argmax(dim=1)
    # The standard error is 0.0011 at most.
    assert_close(drawn.bincount() / len(drawn), [0.665241, 0.244728, 0.090031], 0.005)


# Example 6


@pytest.mark.parametrize(
    ("margin", "value", "gradient"), [(0.0, 0.407606, -0.334759), (0.2, 0.345005, -0.291783)]
)
def test_a_margin_makes_the_task_easier(margin: float, value: float, gradient: float) -> None:
    logits = SLOPE.clone().requires_grad_()
    loss = margin_cross_entropy(logits, tensor([0]), margin)
    assert_close(loss, value)
    assert_close(torch.autograd.grad(loss, logits)[0][0, 0], gradient)


# Examples 9 and 10


def test_haar_details_of_a_block() -> None:
    details = haar_details(tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
    assert_close(details.flatten(), [-2.0, -1.0, 0.0])


def test_haar_keeps_the_energy(ramp: Tensor) -> None:
    details = haar_details(ramp)
    approximation = 2 * torch.nn.functional.avg_pool2d(ramp, 2)
    assert details.shape == (3, 1, 1, 16)
    assert_close(details.square().sum() + approximation.square().sum(), ramp.square().sum(), 1e-2)


def test_detail_similarity_compares_bands() -> None:
    first = tensor([[[1.0, 2.0], [3.0, 4.0]], [[2.0, 0.0], [0.0, 2.0]]])
    second = tensor([[[0.0, 2.0], [2.0, 4.0]], [[3.0, 1.0], [1.0, 0.0]]])
    bands = haar_details(torch.stack([first, second]))
    assert_close(bands[:, 0, :, 0], [[-2.0, 0.0], [-1.0, 0.0], [0.0, 2.0]])
    assert_close(bands[:, 1, :, 0], [[-2.0, 1.5], [-2.0, 1.5], [0.0, 0.5]])
    assert_close(torch.stack([detail_similarity(band)[0, 1] for band in bands]), [0.8, 0.8, 1.0])


def test_perceptions_join_by_union_and_intersection() -> None:
    bands = tensor([[0, 1, 0], [0, 0, 0], [1, 1, 0], [0, 0, 0]], dtype=torch.bool).T
    scales = tensor([[0, 0, 0], [0, 0, 1], [0, 1, 1], [0, 0, 0]], dtype=torch.bool).T
    union, intersection = voting.multi_perception(bands, scales)
    assert union.tolist() == [True, True, True, False]
    assert intersection.tolist() == [False, False, True, False]


# Example 11


@pytest.mark.parametrize(("num_known", "allowed"), [(8, {8}), (9, {6, 7, 8})])
def test_batches_are_half_labelled_and_balanced(
    num_known: int, allowed: set[int], rng: np.random.Generator
) -> None:
    labels = np.concatenate([rng.integers(0, num_known, 700), np.full(500, -1)])
    sampler = AlternatingSampler(labels, rng)
    totals = np.zeros(num_known, np.int64)
    for _ in range(30):
        drawn = labels[sampler.take(128)]
        counts = np.bincount(drawn[drawn >= 0], minlength=num_known)
        totals += counts
        assert (drawn[0::2] == -1).all()
        assert (drawn[1::2] >= 0).all()
        assert set(counts.tolist()) <= allowed
        assert np.ptp(totals) <= 1


def test_no_unlabelled_face_comes_again_before_all_have_come(rng: np.random.Generator) -> None:
    labels = np.concatenate([np.arange(300) % 5, np.full(333, -1)])
    sampler = AlternatingSampler(labels, rng)
    rows = np.concatenate([sampler.take(128) for _ in range(40)])
    unlabelled = rows[labels[rows] == -1]
    for start in range(0, len(unlabelled) - 333, 333):
        assert len(np.unique(unlabelled[start : start + 333])) == 333


# Example 12


def test_the_choice_of_pairs_carries_no_gradient() -> None:
    features = torch.randn(6, 4, 8, 8, requires_grad=True)
    patches = standardise(patch_pool(features, 3))
    assert not local_similarity(patches).requires_grad
    assert not global_similarity(standardise(features.mean(dim=(2, 3)))).requires_grad
    assert not soft_pseudo_labels(features[:, :, 0, 0], torch.zeros(6, 4)).requires_grad


# Example 14

NUM_KNOWN, NUM_CLASSES = 6, 10


class Toy:
    """Ten Gaussian classes of fixed features in nine noisy patches, learned by a small trainable layer."""

    def __init__(self, seed: int) -> None:
        self.rng = torch.Generator().manual_seed(seed)
        centres = torch.randn(NUM_CLASSES, 16, 1, generator=self.rng)
        self.truth = torch.arange(NUM_CLASSES).repeat(80)
        noise = 3.0 * torch.randn(len(self.truth), 16, 9, generator=self.rng)
        self.patches = centres[self.truth] + noise
        self.features = standardise(self.patches.mean(dim=2))
        is_labelled = (self.truth < NUM_KNOWN) & (torch.rand(len(self.truth), generator=self.rng) < 0.75)
        self.labels = torch.where(is_labelled, self.truth, -1)
        # Unlabelled images, of them those with a right neighbour; the same of those with a vote.
        self.tally = np.zeros(4)
        torch.manual_seed(seed)
        self.layer = torch.nn.Linear(16, 32)
        self.head = torch.nn.Linear(32, NUM_CLASSES, bias=False)
        torch.nn.init.normal_(self.head.weight, std=0.001, generator=self.rng)

    def logits(self, rows: Tensor | slice = slice(None)) -> Tensor:
        logits: Tensor = self.head(torch.relu(self.layer(self.features[rows])))
        return logits

    def learn(self, entropy_weight: float) -> None:
        """Some epochs of the whole loss, composed by hand."""
        sampler = AlternatingSampler(self.labels.numpy(), np.random.default_rng(0))
        optimiser = torch.optim.Adam([*self.layer.parameters(), *self.head.parameters()], lr=0.02)
        for _ in range(25 * len(self.truth) // 128):
            optimiser.zero_grad()
            self.loss(torch.from_numpy(sampler.take(128)), entropy_weight).backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    def loss(self, rows: Tensor, entropy_weight: float) -> Tensor:
        labels, logits = self.labels[rows], self.logits(rows)
        unlabelled = labels < 0
        seen_globally = global_similarity(self.features[rows])
        seen_locally = local_similarity(standardise(self.patches[rows]))
        neighbours = voting.nearest(seen_globally)
        votes = voting.mutual_top1(seen_globally, seen_locally)
        right = self.truth[rows] == self.truth[rows][neighbours]
        cast = votes & unlabelled
        self.tally += [int(count.sum()) for count in (unlabelled, unlabelled & right, cast, cast & right)]
        noise = torch.rand(len(rows), len(rows), generator=self.rng)
        pairs = pair_loss(logits, voting.partners(labels, neighbours, votes, noise))
        gumbel = gumbel_noise(logits[unlabelled], self.rng)
        pseudo = csp_loss(logits[unlabelled], votes[unlabelled], gumbel)
        supervised = margin_cross_entropy(logits[~unlabelled], labels[~unlabelled])
        return supervised + 0.5 * pairs + 0.5 * pseudo - entropy_weight * mean_entropy(logits)

    def novel_shares(self) -> Tensor:
        """Return the share of the novel faces that each novel output gets."""
        predictions = self.logits().argmax(dim=1)[self.truth >= NUM_KNOWN]
        return predictions.bincount(minlength=NUM_CLASSES)[NUM_KNOWN:] / len(predictions)


@pytest.mark.parametrize("seed", range(3))
def test_a_toy_set_is_discovered_and_the_entropy_is_why(seed: int) -> None:
    toy, without = Toy(seed), Toy(seed)
    toy.learn(entropy_weight=1.0)
    without.learn(entropy_weight=0.0)

    known = toy.truth < NUM_KNOWN
    predictions = toy.logits().argmax(dim=1)
    assert mean_entropy(toy.logits()) > 0.9 * np.log(NUM_CLASSES)
    assert set(predictions.tolist()) == set(range(NUM_CLASSES))
    assert (predictions == toy.truth)[known].float().mean() >= 0.95
    assert toy.tally[3] / toy.tally[2] > toy.tally[1] / toy.tally[0]
    assert (toy.novel_shares() > 0.1).all()
    assert (without.novel_shares() == 0).all()
