from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, tensor

from owcl.learners.voting import mutual_top1, nearest, official, partners

Rule = Callable[[Tensor, Tensor], Tensor]


@pytest.fixture
def noise() -> Tensor:
    return torch.rand(6, 6, generator=torch.Generator().manual_seed(3))


def test_duplicates_are_each_others_neighbours() -> None:
    assert nearest(tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))[:2].tolist() == [1, 0]


def test_looking_for_neighbours_leaves_the_similarities_alone() -> None:
    similarity = torch.eye(3)
    nearest(similarity)
    assert torch.equal(similarity, torch.eye(3))


def test_an_exact_tie_passes_the_official_vote() -> None:
    # Images 0 and 1 choose each other, so that each compares an entry with itself.
    seen = tensor([[2.0, 0.9, 0.1], [0.8, 2.0, 0.1], [0.5, 0.6, 2.0]])
    assert official(seen, seen).tolist() == [True, True, False]
    seen[2, 0] = 0.8 + 1e-6
    assert official(tensor([[1, 0.9, 0.1], [0.9, 1, 0.2], [0.1, 0.2, 1]]), seen).tolist() == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("rule", [mutual_top1, official])
def test_a_batch_of_one_does_not_break_a_vote(rule: Rule) -> None:
    alone = torch.ones(1, 1)
    assert rule(alone, alone).shape == (1,)
    assert nearest(alone).tolist() == [0]


@pytest.mark.parametrize("rule", [mutual_top1, official])
def test_votes_do_not_depend_on_the_order_of_the_batch(rule: Rule) -> None:
    first, second = torch.rand(2, 40, 40, generator=torch.Generator().manual_seed(4))
    order = torch.randperm(40, generator=torch.Generator().manual_seed(5))
    votes = rule(first, second)
    shuffled = rule(first[order][:, order], second[order][:, order])
    assert torch.equal(shuffled, votes[order])


def test_labelled_images_choose_among_labelled_class_mates(noise: Tensor) -> None:
    labels = tensor([4, 4, 4, 9, -1, -1])
    chosen = partners(labels, tensor([5] * 6), torch.ones(6, dtype=torch.bool), noise)
    assert set(chosen[:3].tolist()) <= {0, 1, 2}
    assert all(chosen[row] != row for row in range(3))
    # No class-mate: itself. Unlabelled with a vote: the neighbour.
    assert chosen[3:].tolist() == [3, 5, 5]


def test_class_mates_are_chosen_with_equal_chance() -> None:
    labels = tensor([1, 1, 1, 1, -1])
    votes = torch.zeros(5, dtype=torch.bool)
    noises = torch.rand(4000, 5, 5, generator=torch.Generator().manual_seed(6))
    first = torch.stack([partners(labels, votes.long(), votes, noise)[0] for noise in noises])
    # A third each, with a standard error of 0.0075.
    shares = first.bincount(minlength=5) / len(first)
    torch.testing.assert_close(shares, tensor([0, 1 / 3, 1 / 3, 1 / 3, 0]), atol=0.03, rtol=0)


def test_without_labels_only_votes_count(noise: Tensor) -> None:
    votes = tensor([True, False, True, False, False, False])
    chosen = partners(torch.full((6,), -1), tensor([1, 2, 3, 4, 5, 0]), votes, noise)
    assert chosen.tolist() == [1, 1, 3, 3, 4, 5]
