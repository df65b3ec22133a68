"""Learning from labels alone: the first experience and the upper bound."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from owcl.faces.views import to_float, weak_view
from owcl.learners.base import Batch
from owcl.learners.manipulations import NUM_KINDS, manipulate
from owcl.learners.sampling import ShareSampler
from owcl.models.network import Network

SMOOTHING = 0.1
"""Share of each label that is spread over all outputs; keeps small classes from being learned by heart."""


class Supervised(nn.Module):
    """Cross-entropy on class-balanced batches, and if asked a pretext beside it.

    Args:
        network: what learns.
        rng: draws the views.
        batch_size: labelled faces a step.
        pretext: manipulated faces a step that the network must tell apart; 0 for none.
    """

    def __init__(
        self, network: Network, rng: torch.Generator, batch_size: int = 128, pretext: int = 0
    ) -> None:
        super().__init__()
        self.network = network
        self.rng = rng
        self.batch_size = batch_size
        self.pretext = pretext
        self.kinds = nn.Linear(network.head.in_features, NUM_KINDS) if pretext else nn.Identity()

    def batches(self, labels: NDArray[np.int64], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yield `(B,)` rows of labelled faces, every class equally often."""
        sampler = ShareSampler(labels, 1.0, rng)
        while True:
            yield sampler.take(self.batch_size)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return `cross_entropy`, and `pretext` where there is one."""
        images = weak_view(batch.images, self.rng)
        kinds = batch.labels[:0]
        if self.pretext:
            chosen = torch.randint(len(images), (self.pretext,), generator=self.rng)
            manipulated, kinds = manipulate(weak_view(batch.images[chosen].cpu(), self.rng), self.rng)
            images = torch.cat([images, manipulated.to(images.device)])
        features = self.network(to_float(images).contiguous(memory_format=torch.channels_last))
        labelled = features.logits[: len(batch.labels)].float()
        losses = {
            "cross_entropy": functional.cross_entropy(labelled, batch.labels, label_smoothing=SMOOTHING)
        }
        if self.pretext:
            guesses = self.kinds(features.pooled[len(batch.labels) :]).float()
            losses["pretext"] = functional.cross_entropy(guesses, kinds.to(guesses.device))
        return losses


def without_teacher(network: Network, rng: torch.Generator, teacher: Network | None = None) -> Supervised:
    """Return supervised learning as it is beside the others: the teacher is not asked."""
    return Supervised(network, rng)
