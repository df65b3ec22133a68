"""Experience replay with labels, the control that says what forgetting costs without discovery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from owcl.faces.views import to_float, weak_view
from owcl.learners.base import Batch, Taught
from owcl.learners.distillation import der_plus_plus
from owcl.learners.sampling import ShareSampler
from owcl.models.network import Network


@dataclass(frozen=True)
class Recipe:
    """What a flavour of replay is made of; plain experience replay by default."""

    dark: tuple[float, float] | None = None
    """Weights of stored logits and of labels on faces of earlier classes, for DER++."""
    batch_size: int = 128


DARK = Recipe(dark=(0.3, 0.5))
"""DER++."""


class Rehearsal(Taught):
    """Cross-entropy on new and remembered faces, for DER++ with the answers from before this experience.

    DER++ stores logits when a face is remembered. Here they are asked of the teacher, the model before this
    experience, which is what they would be had they been stored at its end.

    Args:
        network: what learns; its head already has an output for every class, the old ones first.
        rng: draws the views.
        recipe: plain replay by default, or `DARK`.
        teacher: the model before this experience; it is not changed.

    Source:
        Rolnick et al., Experience Replay for Continual Learning, NeurIPS 2019; Buzzega et al., Dark
        Experience for General Continual Learning, NeurIPS 2020 (arXiv 2004.07211).
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

    def batches(self, labels: NDArray[np.int64], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yield `(B,)` rows of labelled faces, every class equally often."""
        sampler = ShareSampler(labels, 1.0, rng)
        while True:
            yield sampler.take(self.recipe.batch_size)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return `cross_entropy`, and for DER++ `dark` on faces of classes that the teacher knows."""
        images = to_float(weak_view(batch.images, self.rng)).contiguous(memory_format=torch.channels_last)
        logits = self.network(images).logits.float()
        losses = {"cross_entropy": functional.cross_entropy(logits, batch.labels)}
        if self._teacher and self.recipe.dark is not None:
            teacher = self.teacher
            old = batch.labels < teacher.num_classes
            if not bool(old.any()):
                return losses
            with torch.no_grad():
                stored = teacher(images[old]).logits.float()
            widths = torch.full((len(stored),), teacher.num_classes, device=stored.device)
            losses["dark"] = der_plus_plus(logits[old], batch.labels[old], stored, widths, self.recipe.dark)
        return losses


def dark_rehearsal(network: Network, rng: torch.Generator, teacher: Network | None = None) -> Rehearsal:
    """Return rehearsal by the recipe of DER++."""
    return Rehearsal(network, rng, DARK, teacher)
