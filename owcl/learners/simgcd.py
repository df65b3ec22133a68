"""SimGCD: prototypes on the unit sphere that learn from two views of each face."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from owcl.faces.views import to_float, weak_view
from owcl.learners.base import UNLABELLED, Batch, Taught
from owcl.learners.contrastive import cosine_logits, info_nce, self_distillation, supervised_contrastive
from owcl.learners.distillation import teacher_distillation
from owcl.learners.losses import group_entropy
from owcl.learners.sampling import drawn_evenly
from owcl.models.network import Network
from owcl.models.randomness import seeded

TEMPERATURE = 0.1
"""Of the prototypes' cosines."""
SHARPEST_FROM = 0.15
"""Share of the training after which the teaching view is as sharp as it gets."""


@dataclass(frozen=True)
class Recipe:
    """What SimGCD is made of; the published values, and distillation beside them."""

    supervised: float = 0.35
    """Weight of the losses with labels; those without have the rest."""
    entropy: float = 1.0
    """Of the mean prediction, within the losses without labels; by group where there is a teacher, since an
    even one leaves an arriving class next to nothing beside many old ones."""
    distillation: float = 1.0
    """Weight of feature distillation towards the last accepted model, on its own classes; nothing in the
    published recipe keeps what was learned before."""
    batch_size: int = 128


class SimGCD(Taught):
    """Self-distillation between views, contrast between faces, and an even mean prediction.

    Args:
        network: what learns; its head already has an output for every class, whose rows are kept at unit
            length as prototypes.
        rng: draws the views.
        recipe: the published one by default.
        teacher: the last accepted model, for distillation, which says how many outputs are old; without one
            all are. It is not changed.

    Source:
        Wen, Zhao and Qi, Parametric Classification for Generalized Category Discovery: A Baseline Study,
        ICCV 2023 (arXiv 2211.11727).
    """

    def __init__(
        self,
        network: Network,
        rng: torch.Generator,
        recipe: Recipe | None = None,
        teacher: Network | None = None,
    ) -> None:
        super().__init__(network, rng, teacher)
        self.recipe = Recipe() if recipe is None else recipe
        self.num_old = network.num_classes if teacher is None else teacher.num_classes
        width = network.head.in_features
        with seeded(int(torch.randint(2**31, (1,), generator=rng))):
            self.projector = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def batches(self, labels: NDArray[np.int64], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yield `(B,)` rows, each labelled at even odds."""
        while True:
            yield drawn_evenly(labels, self.recipe.batch_size, rng)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return its five published losses, and with a teacher `distillation`."""
        recipe, labelled = self.recipe, batch.labels != UNLABELLED
        views = torch.cat([weak_view(batch.images, self.rng), weak_view(batch.images, self.rng)])
        images = to_float(views).contiguous(memory_format=torch.channels_last)
        pooled = self.network(images).pooled.float()
        with torch.no_grad():
            self.network.head.weight.copy_(functional.normalize(self.network.head.weight, dim=1))
        cosines = cosine_logits(pooled, self.network.head.weight)
        first, second = cosines.chunk(2)
        one, other = functional.normalize(self.projector(pooled).float(), dim=1).chunk(2)
        sharpness = 0.07 - 0.03 * min(batch.progress / SHARPEST_FROM, 1.0)
        truth, both = batch.labels[labelled], labelled.repeat(2)
        unsupervised = 1 - recipe.supervised
        uneven = self._most_even() - group_entropy(cosines / TEMPERATURE, self.num_old)
        losses = {
            "cross_entropy": recipe.supervised
            * functional.cross_entropy(cosines[both] / TEMPERATURE, truth.repeat(2)),
            "self_distillation": unsupervised * self_distillation(first, second, sharpness, TEMPERATURE),
            "entropy": unsupervised * recipe.entropy * uneven,
            "contrast": unsupervised * info_nce(one, other),
            "labelled_contrast": recipe.supervised
            * supervised_contrastive(one[labelled], other[labelled], truth, 0.07),
        }
        if self._teacher and recipe.distillation:
            losses["distillation"] = recipe.distillation * teacher_distillation(
                self.teacher, images, pooled, batch.labels.repeat(2)
            )
        return losses

    def _most_even(self) -> float:
        """Return the entropy of a mean prediction that is even between the groups and inside each."""
        num_new = self.network.num_classes - self.num_old
        return math.log(self.num_old) + (math.log(2 * num_new) if num_new else 0.0)
