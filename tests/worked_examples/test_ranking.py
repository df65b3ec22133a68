"""The worked examples of multi-label ranking, E1 to E10, and the properties that its formulas promise."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from owcl.learners.component_order import (
    component_loss,
    decoded_sequences,
    graded_targets,
    order_targets,
    ordered_subsets,
    pairwise_order_loss,
    predicted_ranks,
    rank_loss,
    rank_weights,
)
from owcl.learners.local_contrast import (
    LOGIT_OFFSET,
    contrast_curve,
    cut_votes,
    cuts_between_regions,
    forgery_loss,
    forgery_probability,
    largest_contrast,
    odd_patches,
    pairwise_similarity,
    sorted_pairs,
    unevenness,
    unlike_anchors,
)
from owcl.learners.ranking import LITERAL, Ranking
from owcl.models.backbones import build_backbone
from owcl.models.localiser import Localisation, Localiser

FORGED, GENUINE = torch.tensor([True]), torch.tensor([False])


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def near(actual: Tensor, *wanted: float) -> None:
    torch.testing.assert_close(actual.double(), row(*wanted).squeeze(0), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("sequence", "presence", "ranks"),
    [
        ((2, 4, 1, 0, 0), (1, 1, 0, 1, 0), (3, 1, 5, 2, 5)),
        ((0, 0, 0, 0, 0), (0, 0, 0, 0, 0), (5, 5, 5, 5, 5)),
        ((5, 4, 3, 2, 1), (1, 1, 1, 1, 1), (5, 4, 3, 2, 1)),
        ((3, 1, 0), (1, 0, 1), (2, 3, 1)),
    ],
)
def test_e1_sequences_become_presence_and_ranks(
    sequence: tuple[int, ...], presence: tuple[int, ...], ranks: tuple[int, ...]
) -> None:
    targets = order_targets(torch.tensor([sequence]))
    assert targets.presence.int().tolist() == [list(presence)]
    assert targets.ranks.tolist() == [list(ranks)]


def test_there_are_326_ordered_subsets_of_five_and_decoding_undoes_encoding() -> None:
    rows = torch.tensor(ordered_subsets(5))
    assert len(rows) == 326 == len(set(map(tuple, rows.tolist())))
    targets = order_targets(rows)
    logits = torch.where(targets.presence == 1, 5.0 - targets.ranks, -1.0)
    assert torch.equal(decoded_sequences(logits), rows)


def e2_pairs() -> Tensor:
    tokens = torch.tensor([[[1, 0], [0.6, 0.8], [0, 1]]], dtype=torch.float64)
    return sorted_pairs(pairwise_similarity(tokens))


@pytest.mark.parametrize(
    ("temperature", "probability", "fake", "real"),
    [(0.5, 0.604368, 0.503572, 0.927270), (0.1, 0.998178, 0.00182376, 6.307764)],
)
def test_e2_similarity_contrast_and_likelihood(
    temperature: float, probability: float, fake: float, real: float
) -> None:
    pairs = e2_pairs()
    near(pairs[0], 0, 0.6, 0.8)
    near(contrast_curve(pairs)[0], 0.7, 0.5)
    found = largest_contrast(pairs)
    assert found.cut.tolist() == [1]
    near(forgery_probability(found.gap, temperature), probability)
    near(forgery_loss(found.gap, FORGED, temperature, 0), fake)
    near(forgery_loss(found.gap, GENUINE, temperature), real)
    near(unevenness(pairs) * 3, 1.6)
    near(unevenness(pairs), 0.533333)


def test_e2_the_probability_at_the_other_cut() -> None:
    at_two = largest_contrast(e2_pairs(), torch.tensor([2]))
    near(at_two.gap, 0.5)
    near(forgery_probability(at_two.gap, 0.5), 0.462117)


def test_e3_the_maximum_finds_the_cut() -> None:
    two_of_four = row(0, 0, 0, 0, 1, 1)
    near(contrast_curve(two_of_four)[0], 0.4, 0.5, 0.666667, 1, 0.8)
    found = largest_contrast(two_of_four)
    assert found.cut.tolist() == [4]
    for temperature, probability, loss in [
        (1, 0.462117, 0.771937),
        (0.5, 0.761594, 0.272341),
        (0.2, 0.986614, 0.0134761),
        (0.1, 0.999909, 9.07999e-5),
    ]:
        near(forgery_probability(found.gap, temperature), probability)
        near(forgery_loss(found.gap, FORGED, temperature, 0), loss)
    one_of_four = row(0, 0, 0, 1, 1, 1)
    near(contrast_curve(one_of_four)[0], 0.6, 0.75, 1, 0.75, 0.6)
    assert largest_contrast(one_of_four).cut.tolist() == [3]


@pytest.mark.parametrize(("forged", "cut"), [(1, 3), (2, 4)])
def test_e3_the_contrast_is_how_much_more_alike_patches_are_within_than_across(forged: int, cut: int) -> None:
    side = torch.arange(4) < forged
    similarity = torch.where(side[:, None] == side, 0.9, 0.7)[None]
    found = largest_contrast(sorted_pairs(similarity))
    assert found.cut.tolist() == [cut]
    near(found.gap, 0.2)
    near(forgery_probability(found.gap, 0.1), 0.761594)


def test_e4_a_flat_genuine_face_is_pulled_by_evenness_alone() -> None:
    flat = row(*[0.8] * 6)
    gap = largest_contrast(flat).gap
    near(forgery_probability(gap, 0.1), 0)
    near(forgery_loss(gap, GENUINE, 0.1), 0)
    near(unevenness(flat), 0.2)


def test_e5_a_high_outlier_counts_less_between_regions() -> None:
    pairs = row(0.6, 0.6, 0.6, 0.6, 0.6, 1.0)
    near(contrast_curve(pairs)[0], 0.08, 0.1, 0.133333, 0.2, 0.4)
    found = largest_contrast(pairs)
    assert found.cut.tolist() == [5]
    near(forgery_probability(found.gap, 0.1), 0.964028)
    near(forgery_loss(found.gap, GENUINE, 0.1), 3.325003)
    assert cuts_between_regions(4).tolist() == [3, 4]
    near(forgery_probability(largest_contrast(pairs, cuts_between_regions(4)).gap, 0.1), 0.761594)


def test_the_cuts_between_two_regions_of_sixteen_patches() -> None:
    assert cuts_between_regions(16).tolist() == [15, 28, 39, 48, 55, 60, 63, 64]


def test_e6_components_ranks_and_pairs() -> None:
    targets = order_targets(torch.tensor([[3, 1, 0]]))
    maps, tokens = row(2, -2, 0), row(2, 0, 0)
    near(component_loss(maps, targets.presence.double()), 0.947003)
    near(component_loss(tokens, targets.presence.double()), 1.513222)
    fused = (maps + tokens) / 2
    assert predicted_ranks(fused).tolist() == [[1, 3, 2]]
    near(rank_weights(predicted_ranks(fused), targets)[0], 1, 1, 1)
    near(rank_loss(fused, targets), 1.133337)
    near(pairwise_order_loss(fused, targets), 0.829592)
    near(3 * pairwise_order_loss(fused, targets), 2.488777)


@pytest.mark.parametrize(
    ("logits", "sequence", "term"),
    [((2, -1), (1, 0), 0.048587), ((0, 2), (1, 2), 2.126928), ((0, -1), (1, 0), 0.313262)],
    ids=["1 before the absent 2", "3 before 1", "3 before the absent 2"],
)
def test_e6_each_pair_by_itself(logits: tuple[int, ...], sequence: tuple[int, ...], term: float) -> None:
    near(pairwise_order_loss(row(*logits), order_targets(torch.tensor([sequence]))), term)


@pytest.mark.parametrize(
    ("logits", "ranks", "weights", "loss"),
    [
        ((2, 1, -1, 0, -2), (1, 2, 4, 3, 5), (2, 1, 1, 1, 1), 1.700455),
        ((2, 1, 0.5, 0, -2), (1, 2, 3, 4, 5), (2, 1, 1, 2, 1), 3.054417),
        ((0, 2, -2, 1, -3), (3, 1, 4, 2, 5), (0, 0, 1, 0, 1), 0.175516),
    ],
)
def test_e7_displaced_components_count_more(
    logits: tuple[float, ...], ranks: tuple[int, ...], weights: tuple[int, ...], loss: float
) -> None:
    targets = order_targets(torch.tensor([[2, 4, 1, 0, 0]]))
    predicted = predicted_ranks(row(*logits))
    assert predicted.tolist() == [list(ranks)]
    near(rank_weights(predicted, targets)[0], *weights)
    near(rank_loss(row(*logits), targets), loss)


def test_e7_an_intruder_among_the_first_counts_more_by_its_predicted_rank() -> None:
    targets = order_targets(torch.tensor([[2, 4, 1, 0, 0]]))
    logits = row(2, 1, 0.5, 0, -2)
    near(rank_weights(predicted_ranks(logits), targets, beyond="predicted")[0], 2, 1, 2, 2, 1)
    near(rank_loss(logits, targets, beyond="predicted"), 4.028494)


def test_graded_targets_fall_with_every_edit() -> None:
    near(graded_targets(order_targets(torch.tensor([[2, 4, 1, 0, 0]])))[0], 0.8, 1.0, 0, 0.9, 0)


def test_e8_the_total_of_two_faces() -> None:
    targets = order_targets(torch.tensor([[3, 1, 0], [0, 0, 0]]))
    pairs = torch.cat([e2_pairs(), row(0.8, 0.8, 0.8)])
    maps, tokens = torch.cat([row(2, -2, 0), row(-2, -2, -2)]), torch.cat([row(2, 0, 0), row(-2, 0, -2)])
    forged = torch.tensor([True, False])
    forgery = forgery_loss(largest_contrast(pairs).gap, forged, 0.5, 0)
    near(forgery, 0.503572, 0)
    components = sum(component_loss(logits, targets.presence.double()) for logits in (maps, tokens))
    near(components, 2.460226, 1.327787)
    rank = rank_loss((maps + tokens) / 2, targets)
    near(rank, 1.133337, 0.567118)
    uneven = unevenness(pairs) * ~forged
    near((forgery + components + rank + 3 * uneven).sum()[None], 6.592040)
    near((forgery + components + rank + uneven).mean()[None], 3.096020)


def test_e8_the_total_of_two_faces_by_the_learner() -> None:
    tokens = torch.tensor([[[1, 0, 0], [0.6, 0.8, 0], [0, 1, 0]]])
    alike = torch.linalg.cholesky(torch.full((3, 3), 0.8) + 0.2 * torch.eye(3))[None]
    maps, votes = torch.tensor([[2.0, -2, 0], [-2, -2, -2]]), torch.tensor([[2.0, 0, 0], [-2, 0, -2]])
    found = Localisation(torch.cat([tokens, alike]), torch.zeros(2, 3, 1, 1), maps, votes)
    recipe = replace(LITERAL, temperature=0.5, rank=1.0)
    learner = Ranking(Localiser(build_backbone(), 3), torch.Generator(), recipe)
    losses = learner.losses_of(found, torch.tensor([[3, 1, 0], [0, 0, 0]]), with_order=True)
    # The example has no offset in the loss of a forged face: -log P, with P = tanh(z / 2).
    moved = -math.log(math.tanh((1.4 + LOGIT_OFFSET) / 2))
    assert -math.log(math.tanh(1.4 / 2)) == pytest.approx(0.503572, abs=1e-6)
    wanted = {
        "forgery": moved,
        "evenness": 0.2,
        "components": 2.460226 + 1.327787,
        "rank": 1.133337 + 0.567118,
    }
    assert {name: 2 * loss.item() for name, loss in losses.items()} == pytest.approx(wanted, abs=1e-5)
    total = sum(loss.item() for loss in losses.values()) + (0.503572 - moved) / 2
    assert total == pytest.approx(3.096020, abs=1e-5)


def test_e10_forged_patches_are_unlike_the_others() -> None:
    tokens = torch.zeros(1, 8, 2)
    tokens[0, :2, 0], tokens[0, 2:, 1] = 1, 1
    similarity = pairwise_similarity(tokens)
    near(odd_patches(similarity)[0], *[0.857143] * 2, *[0.285714] * 6)
    near(cut_votes(similarity, largest_contrast(sorted_pairs(similarity)).cut)[0], *[6 / 7] * 2, *[2 / 7] * 6)


def test_with_anchors_the_forged_stand_out_even_where_they_are_many() -> None:
    tokens = torch.zeros(1, 8, 2)
    tokens[0, :6, 0], tokens[0, 6:, 1] = 1, 1
    similarity = pairwise_similarity(tokens)
    near(odd_patches(similarity)[0], *[2 / 7] * 6, *[6 / 7] * 2)
    near(unlike_anchors(similarity, torch.tensor([7]))[0], *[1] * 6, *[0] * 2)


def random_pairs(count: int = 28) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.rand(3, count, generator=rng, dtype=torch.float64).sort(dim=1).values


def test_the_curve_is_the_difference_of_means_at_every_cut() -> None:
    pairs = random_pairs()
    brute = [pairs[:, cut:].mean(dim=1) - pairs[:, :cut].mean(dim=1) for cut in range(1, pairs.shape[1])]
    torch.testing.assert_close(contrast_curve(pairs), torch.stack(brute, dim=1))
    assert (contrast_curve(pairs) >= 0).all()


def test_a_shift_of_all_similarities_changes_nothing() -> None:
    pairs = random_pairs()
    torch.testing.assert_close(largest_contrast(pairs + 0.3).gap, largest_contrast(pairs).gap)


def test_neither_the_order_nor_the_length_of_patches_matters() -> None:
    rng = torch.Generator().manual_seed(0)
    tokens = torch.randn(2, 9, 5, generator=rng, dtype=torch.float64)
    changed = tokens[:, torch.randperm(9, generator=rng)] * torch.rand(2, 9, 1, generator=rng).add(0.1)
    before, after = (largest_contrast(sorted_pairs(pairwise_similarity(each))) for each in (tokens, changed))
    torch.testing.assert_close(before.gap, after.gap)


def test_the_gradient_is_that_of_two_means() -> None:
    pairs = random_pairs().requires_grad_()
    found = largest_contrast(pairs)
    found.gap.sum().backward()  # type: ignore[no-untyped-call]
    assert pairs.grad is not None
    for sample, cut in enumerate(found.cut.tolist()):
        near(pairs.grad[sample, :cut], *[-1 / cut] * cut)
        near(pairs.grad[sample, cut:], *[1 / (28 - cut)] * (28 - cut))


def test_the_losses_stay_finite_where_the_naive_form_does_not() -> None:
    gap = torch.tensor([6.0], requires_grad=True)
    assert forgery_loss(gap, GENUINE, 0.1).item() == pytest.approx(60 - math.log(2), abs=1e-4)
    flat = torch.zeros(1, requires_grad=True)
    loss = forgery_loss(flat, FORGED, 0.1)
    loss.backward()
    assert flat.grad is not None
    assert loss.item() == pytest.approx(math.log(2 / 1e-3), abs=1e-2)
    assert flat.grad.item() == pytest.approx(-1e3 / 0.1, rel=1e-3)
