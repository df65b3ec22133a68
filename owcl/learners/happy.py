"""A Happy-style learner: new prototypes weigh as much as old ones, which replay of their features holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from owcl.faces.views import to_float, weak_view
from owcl.learners.base import UNLABELLED, Batch, Taught
from owcl.learners.contrastive import cosine_logits, self_distillation
from owcl.learners.distillation import teacher_distillation
from owcl.learners.losses import group_entropy
from owcl.learners.sampling import drawn_evenly
from owcl.memory.prototypes import sample_features
from owcl.models.network import Network

TEMPERATURE = 0.1
"""Of the prototypes' cosines."""
SHARPNESS = 0.05
"""Temperature of the view that teaches."""


@dataclass(frozen=True)
class Recipe:
    """What the learner is made of."""

    entropy: float = 1.0
    """Weight of the entropy between and inside the groups of old and new outputs."""
    replay: float = 1.0
    """Weight of the replayed features."""
    distillation: float = 1.0
    """Weight of feature distillation, without which replayed features go stale."""
    batch_size: int = 128


class Happy(Taught):
    """Self-distillation, group entropy, hardness-aware Gaussian replay, distillation.

    The head start of new outputs is in the head that is given, as for every learner. Prototypes and radius
    for the replay are means over the labelled faces seen so far, in the features of the teacher: there is no
    store of features to keep in step.

    Args:
        network: what learns; its head already has an output for every class, the old ones first, whose rows
            are kept at unit length as prototypes.
        rng: draws views and replayed features.
        recipe: the default.
        teacher: the model before this experience, which says how many outputs are old; without one all are.

    Source:
        Ma et al., Happy: A Debiased Learning Framework for Continual Generalized Category Discovery,
        NeurIPS 2024 (arXiv 2410.06535).
    """

    sums: Tensor
    squares: Tensor
    counts: Tensor

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
        self.register_buffer("sums", torch.zeros(self.num_old, network.head.in_features))
        self.register_buffer("squares", torch.zeros(self.num_old))
        self.register_buffer("counts", torch.zeros(self.num_old))

    def batches(self, labels: NDArray[np.int64], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yield `(B,)` rows, each labelled at even odds."""
        while True:
            yield drawn_evenly(labels, self.recipe.batch_size, rng)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return `cross_entropy`, `self_distillation`, `entropy`; of a teacher `replay`, `distillation`."""
        recipe, labelled = self.recipe, batch.labels != UNLABELLED
        views = torch.cat([weak_view(batch.images, self.rng), weak_view(batch.images, self.rng)])
        images = to_float(views).contiguous(memory_format=torch.channels_last)
        pooled = self.network(images).pooled.float()
        with torch.no_grad():
            self.network.head.weight.copy_(functional.normalize(self.network.head.weight, dim=1))
        cosines = cosine_logits(pooled, self.network.head.weight)
        first, second = cosines.chunk(2)
        truth, both = batch.labels[labelled], labelled.repeat(2)
        losses = {
            "cross_entropy": functional.cross_entropy(cosines[both] / TEMPERATURE, truth.repeat(2)),
            "self_distillation": self_distillation(first, second, SHARPNESS, TEMPERATURE),
            "entropy": -recipe.entropy * group_entropy(cosines / TEMPERATURE, self.num_old),
        }
        if self._teacher:
            self._remember(images[: len(labelled)][labelled], truth)
            losses["replay"] = recipe.replay * self._replay(len(labelled))
            losses["distillation"] = recipe.distillation * teacher_distillation(
                self.teacher, images, pooled, batch.labels.repeat(2)
            )
        return losses

    @torch.no_grad()
    def _remember(self, images: Tensor, labels: Tensor) -> None:
        old = labels < self.num_old
        features = functional.normalize(self.teacher(images[old]).pooled.float(), dim=1)
        self.sums.index_add_(0, labels[old], features)
        self.squares.index_add_(0, labels[old], features.square().sum(dim=1))
        self.counts.index_add_(0, labels[old], torch.ones(len(features), device=features.device))

    def _replay(self, count: int) -> Tensor:
        seen = self.counts > 0
        if int(seen.sum()) < 2:
            return self.sums.sum() * 0
        means = self.sums[seen] / self.counts[seen, None]
        spread = (self.squares[seen] / self.counts[seen] - means.square().sum(dim=1)) / means.shape[1]
        seed = int(torch.randint(2**31, (1,), generator=self.rng))
        directions = functional.normalize(means, dim=1).double().cpu().numpy()
        radius = float(spread.clamp_min(0).mean().sqrt())
        features, rows = sample_features(directions, radius, count, np.random.default_rng(seed))
        logits = cosine_logits(torch.from_numpy(features).to(means), self.network.head.weight) / TEMPERATURE
        classes = seen.nonzero()[:, 0][torch.from_numpy(rows).to(means.device)]
        return functional.cross_entropy(logits, classes)
