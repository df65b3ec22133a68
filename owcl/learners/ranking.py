"""Multi-label ranking: forged or not, which components, in which order, from one network.

Source:
    Hong, Hsu and Liu, Contrastive Learning for DeepFake Classification and Localization via Multi-Label
    Ranking, CVPR 2024 (DOI 10.1109/CVPR52733.2024.01669).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from owcl.errors import NotFound
from owcl.faces.views import to_float, weak_view
from owcl.learners.base import Batch
from owcl.learners.component_order import (
    component_loss,
    graded_targets,
    order_targets,
    ordered_subsets,
    pairwise_order_loss,
    rank_loss,
)
from owcl.learners.local_contrast import (
    Cuts,
    cuts_tried,
    forgery_loss,
    largest_contrast,
    pairwise_similarity,
    sorted_pairs,
    unevenness,
)
from owcl.learners.sampling import Round
from owcl.models.localiser import Localisation, Localiser

ORDER_STARTS = 0.05
"""Share of the steps after which order counts; ranks of untrained logits are noise."""
Order = Literal["slides", "slides+pair", "pair", "graded"]


@dataclass(frozen=True)
class Recipe:
    """Weights and choices; the symbols are the paper's, the values ours, since it prints none."""

    batch_size: int = 128
    temperature: float = 0.1
    """Of the probability of being forged."""
    cuts: Cuts = "regions"
    order: Order = "slides+pair"
    """What teaches the order of edits."""
    evenness: float = 1.0
    components: float = 1.0
    rank: float = 0.5
    """Of the loss of fused logits: the slides' one, or cross-entropy to graded targets."""
    pair: float = 3.0


LITERAL = Recipe(cuts="all", order="slides")
"""As on the paper's slides, but for the mean over pairs of patches where they print the sum."""
DEFAULT_RECIPE = "slides+pair"
RECIPES = {
    DEFAULT_RECIPE: Recipe(),
    "pair": Recipe(order="pair"),
    "graded": Recipe(order="graded"),
    "slides": replace(LITERAL, cuts="regions"),
    "literal": LITERAL,
}


def recipe_named(name: str) -> Recipe:
    """Return a recipe.

    Raises:
        NotFound: if there is none of that name.
    """
    if name not in RECIPES:
        raise NotFound(f"recipe {name!r}: there is none of that name. Choose one of {', '.join(RECIPES)}.")
    return RECIPES[name]


class Ranking(nn.Module):
    """Learns from faces whose label is the place of their sequence in `ordered_subsets`.

    Args:
        network: what learns.
        rng: draws the views.
        recipe: weights and choices.
    """

    def __init__(self, network: Localiser, rng: torch.Generator, recipe: Recipe | None = None) -> None:
        super().__init__()
        self.network = network
        self.rng = rng
        self.recipe = Recipe() if recipe is None else recipe
        sequences = torch.tensor(ordered_subsets(network.num_components))
        self.register_buffer("sequences", sequences, persistent=False)
        self.sequences: Tensor

    def batches(self, labels: NDArray[np.int64], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yield `(B,)` rows, all faces once before any comes again."""
        faces = Round(np.arange(len(labels)), rng, shuffle_again=True)
        while True:
            yield faces.take(min(self.recipe.batch_size, len(labels)))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return `forgery`, `evenness`, `components` and, once it counts, what teaches the order."""
        images = weak_view(batch.images, self.rng)
        found = self.network(to_float(images).contiguous(memory_format=torch.channels_last))
        return self.losses_of(found, self.sequences[batch.labels], batch.progress >= ORDER_STARTS)

    def losses_of(self, found: Localisation, rows: Tensor, with_order: bool) -> dict[str, Tensor]:
        """Return the losses of what the network found, given the true `(B, L)` sequences."""
        recipe = self.recipe
        targets = order_targets(rows)
        forged = rows[:, 0] > 0
        pairs = sorted_pairs(pairwise_similarity(found.patches))
        cuts = cuts_tried(recipe.cuts, found.patches.shape[1], pairs.device)
        gap = largest_contrast(pairs, cuts).gap
        by_maps = component_loss(found.map_logits, targets.presence)
        by_tokens = component_loss(found.token_logits, targets.presence)
        losses = {
            "forgery": forgery_loss(gap, forged, recipe.temperature).mean(),
            "evenness": recipe.evenness * (unevenness(pairs) * ~forged).mean(),
            "components": recipe.components * (by_maps + by_tokens).mean(),
        }
        if with_order and recipe.order.startswith("slides"):
            losses["rank"] = recipe.rank * rank_loss(found.logits, targets).mean()
        if with_order and recipe.order == "graded":
            losses["graded"] = recipe.rank * component_loss(found.logits, graded_targets(targets)).mean()
        if with_order and recipe.order.endswith("pair"):
            losses["pair"] = recipe.pair * pairwise_order_loss(found.logits, targets).mean()
        return losses
