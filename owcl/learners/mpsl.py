"""Multi-perspective sensory learning: CPL that also looks at several scales and at fine detail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from owcl.learners import cpl
from owcl.learners.cpl import CPL, VOTES
from owcl.learners.similarity import detail_similarity, haar_details, patch_similarity
from owcl.learners.voting import multi_perception
from owcl.models.network import Features, Network


@dataclass(frozen=True)
class Recipe(cpl.Recipe):
    """What a flavour of MPSL is made of.

    Ours differs from the published one as ours of CPL does from its own, and looks at scales that a small
    feature map has.
    """

    scales: tuple[int, ...] = (2, 3, 4)
    """Patches along each side; those that the feature map is too small for are left out."""
    trusted: Literal["union", "all"] = "union"
    """Which unlabelled faces learn a pseudo-label: those for which any perception votes, as the paper
    says, or all of them, as in the released code."""


OFFICIAL = Recipe(
    vote="official",
    entropy=1.0,
    margin=0.2,
    smoothing=0.0,
    confidence_gradient=True,
    distillation=0.0,
    labelled_share=None,
    scales=(3, 5, 7),
    trusted="all",
)
"""The preset `official_mpsl`: losses and batches of the released code."""


class MPSL(CPL):
    """CPL in which neighbours must agree in fine detail and on some scale.

    Each wavelet band and each grid of patches votes as CPL's one grid does. Neighbours are paired where both
    a band and a scale vote; pseudo-labels are learned where either does.

    Args:
        network: what learns; its head already has an output for every class.
        rng: draws views, pairs and pseudo-labels.
        recipe: ours by default, or `OFFICIAL`.
        teacher: the last accepted model, for distillation; it is not changed.

    Source:
        Rethinking Open-World DeepFake Attribution with Multi-perspective Sensory Learning, IJCV 2025.
    """

    recipe: Recipe

    def __init__(
        self,
        network: Network,
        rng: torch.Generator,
        recipe: Recipe | None = None,
        teacher: Network | None = None,
    ) -> None:
        super().__init__(network, rng, Recipe() if recipe is None else recipe, teacher)

    def _votes(self, alike: Tensor, features: Features) -> tuple[Tensor, Tensor]:
        vote = VOTES[self.recipe.vote]
        feature_map = features.feature_map
        bands = torch.stack(
            [vote(alike, detail_similarity(band)) for band in haar_details(_even(feature_map))]
        )
        fitting = [cells for cells in self.recipe.scales if cells <= min(feature_map.shape[-2:])]
        # Where none fits, pooling refuses the smallest and says why.
        fitting = fitting or [min(self.recipe.scales)]
        scales = torch.stack([vote(alike, patch_similarity(feature_map, cells)) for cells in fitting])
        union, intersection = multi_perception(bands, scales)
        return intersection, union if self.recipe.trusted == "union" else torch.ones_like(union)


def _even(feature_map: Tensor) -> Tensor:
    """Pad odd sides with zeros, as the transform's zero mode does."""
    height, width = feature_map.shape[-2:]
    return functional.pad(feature_map, (0, width % 2, 0, height % 2))
