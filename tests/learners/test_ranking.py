"""The ranking learner: which losses there are when, and that order is learned from pairs alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from owcl.errors import NotFound
from owcl.learners.base import Batch
from owcl.learners.component_order import decoded_sequences, ordered_subsets
from owcl.learners.ranking import LITERAL, Order, Ranking, Recipe, recipe_named
from owcl.models.backbones import build_backbone
from owcl.models.localiser import Localisation, Localiser


def learner(recipe: Recipe | None = None) -> Ranking:
    torch.manual_seed(0)
    return Ranking(Localiser(build_backbone(), 5), torch.Generator().manual_seed(0), recipe)


def step(ranking: Ranking, progress: float) -> set[str]:
    images = torch.randint(0, 256, (8, 3, 64, 64), dtype=torch.uint8)
    return set(ranking.losses(Batch(images, torch.arange(0, 320, 40), progress)))


def test_order_counts_after_the_first_steps() -> None:
    ranking = learner()
    assert step(ranking, 0.04) == {"forgery", "evenness", "components"}
    assert step(ranking, 0.05) == {"forgery", "evenness", "components", "rank", "pair"}


@pytest.mark.parametrize(
    ("recipe", "order"),
    [(LITERAL, {"rank"}), (Recipe(order="pair"), {"pair"}), (Recipe(order="graded"), {"graded"})],
)
def test_the_recipe_says_what_teaches_the_order(recipe: Recipe, order: set[str]) -> None:
    assert step(learner(recipe), 0.5) - {"forgery", "evenness", "components"} == order


def test_grading_concerns_the_fused_logits_alone() -> None:
    maps, tokens = torch.tensor([[3.0, 1, -1, 0, -2]]), torch.tensor([[1.0, 1, -1, 0, -2]])
    found, rows = Localisation(torch.eye(3)[None], torch.zeros(1, 5, 1, 1), maps, tokens), [[2, 4, 1, 0, 0]]
    losses = learner(Recipe(order="graded")).losses_of(found, torch.tensor(rows), with_order=True)
    paired = learner(Recipe(order="pair")).losses_of(found, torch.tensor(rows), with_order=True)
    # Fused (2, 1, -1, 0, -2) to the targets (0.8, 1, 0, 0.9, 0), by softplus(f) - t f.
    entropies = [0.526928, 0.313262, 0.313262, 0.693147, 0.126928]
    assert losses["graded"].item() == pytest.approx(0.5 * sum(entropies), abs=1e-5)
    assert losses["components"] == paired["components"]


def test_an_unknown_recipe_is_answered_with_the_list() -> None:
    with pytest.raises(NotFound, match=r"recipe .slidse.*slides\+pair, pair, graded, slides, literal"):
        recipe_named("slidse")
    assert recipe_named("slides+pair") == Recipe()
    assert recipe_named("literal") == LITERAL


def test_the_network_keeps_its_contract() -> None:
    found = learner().network.eval()(torch.zeros(2, 3, 64, 64))
    assert (found.patches.shape, found.maps.shape, found.logits.shape) == ((2, 64, 128), (2, 5, 8, 8), (2, 5))
    torch.testing.assert_close(found.maps.mean(dim=(2, 3)), found.map_logits)
    torch.testing.assert_close(found.logits, (found.map_logits + found.token_logits) / 2)


@pytest.mark.parametrize("count", [40, 19])
def test_batches_show_every_face_before_any_comes_again(count: int) -> None:
    batches = learner(Recipe(batch_size=10)).batches(np.zeros(count, np.int64), np.random.default_rng(0))
    rows = np.concatenate([next(batches) for _ in range(2 * count // 10 + 1)])
    for start in (0, count):
        assert sorted(rows[start : start + count].tolist()) == list(range(count))


@pytest.mark.parametrize(
    ("order", "learned"), [("slides", False), ("slides+pair", True), ("pair", True), ("graded", True)]
)
def test_free_logits_learn_the_set_by_any_loss_and_the_order_by_all_but_the_printed_one(
    order: Order, learned: bool
) -> None:
    rows = torch.tensor([row for row in ordered_subsets(5) if row[2] and not row[3]])
    logits = torch.zeros(len(rows), 5, requires_grad=True)
    ranking = learner(Recipe(order=order))
    optimiser = torch.optim.Adam([logits], lr=0.1)
    patches, maps = torch.ones(len(rows), 4, 3), torch.zeros(len(rows), 5, 2, 2)
    for _ in range(150):
        losses = ranking.losses_of(Localisation(patches, maps, logits, logits), rows, with_order=True)
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    found = decoded_sequences(logits.detach())
    assert torch.equal(found.sort(dim=1).values, rows.sort(dim=1).values)
    assert bool((found == rows).all()) == learned
