"""CAL: a confident weak view teaches the strong one, with a threshold of its own for each group."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from owcl.faces.views import mirrored_view, resampled_view, strong_view, to_float, weak_view
from owcl.learners.base import UNLABELLED, Batch, Taught
from owcl.learners.consistency import (
    Confidence,
    agreed_confidences,
    consistency_loss,
    epoch_of,
    novel_threshold,
    reinforcement_loss,
)
from owcl.learners.distillation import teacher_distillation
from owcl.learners.losses import mean_entropy
from owcl.learners.sampling import AlternatingSampler, drawn_evenly, epoch_sizes
from owcl.models.network import Network


@dataclass(frozen=True)
class Recipe:
    """What a flavour of CAL is made of; ours by default."""

    weak: Literal["shifted", "mirrored"] = "shifted"
    """Mirrored at even odds, as published, or moved by whole pixels too."""
    strong: Literal["masked", "resampled"] = "masked"
    """Resampling, as published, blurs the very traces that tell generators apart."""
    taught: Literal["strong", "weak"] = "strong"
    """Which view learns from confident answers; the released code lets the weak one teach itself."""
    everyone: bool = False
    """Whether labelled faces take part in consistency and in the statistics, which raises the bar."""
    confidence: Confidence = "raw"
    """The sharpened teacher of the released code is sure of nearly everything."""
    largest_ratio: float = 1.0
    """Above 10/9, as the released 10 allows, no face of a novel class can be selected."""
    consistency: float = 0.5
    """Weight of the consistency."""
    reinforcement: float = 0.5
    """Weight of the confident answers; 1 as published."""
    entropy: float = 0.2
    """Weight of the divergence of the mean prediction from even use of all outputs, which it is far from in a
    stream; 0.5 as published."""
    threshold: float = 0.9
    """Of the known group."""
    epochs: int = 50
    """Parts of the training after which thresholds change."""
    warm_up: int = 5
    """Epochs without confident answers."""
    distillation: float = 1.0
    """Weight of feature distillation towards the last accepted model, on faces of its own classes."""
    batch_size: int = 128
    balanced: bool = True
    """Half of each batch labelled and even over classes; as published each draw is labelled at even odds."""
    by_epoch: bool = False
    """Whether each epoch ends with a batch of what is left, as published."""


OFFICIAL = Recipe(
    strong="resampled",
    taught="weak",
    everyone=True,
    confidence="sharpened",
    largest_ratio=10.0,
    consistency=0.2,
    reinforcement=1.0,
    entropy=0.5,
    distillation=0.0,
    balanced=False,
)
"""The preset `official_cal`: losses and batches of the released code."""


class CAL(Taught):
    """Confidence-aware consistency and asymmetric confidence reinforcement on two views.

    Thresholds and statistics are buffers, so that a checkpoint holds them. The known group are the outputs
    that have labels; beside a teacher, those that it has: a class that was just discovered has labels on the
    faces that stood out, and is less sure of the others.

    Args:
        network: what learns; its head already has an output for every class.
        rng: draws the views.
        recipe: ours by default, or `OFFICIAL`.
        teacher: the last accepted model, for distillation; its outputs come first, and it is not changed.

    Source:
        CAL, on the benchmark OWDFA-40.
    """

    known: Tensor
    tally: Tensor
    state: Tensor

    def __init__(
        self,
        network: Network,
        rng: torch.Generator,
        recipe: Recipe | None = None,
        teacher: Network | None = None,
    ) -> None:
        super().__init__(network, rng, teacher)
        self.recipe = Recipe() if recipe is None else recipe
        earlier = 0 if teacher is None else teacher.num_classes
        self.register_buffer("known", torch.arange(network.num_classes) < earlier)
        self.register_buffer("tally", torch.zeros(2, 2))
        # The epoch that the tally is of, and the novel group's threshold.
        self.register_buffer("state", torch.zeros(2))

    def batches(self, labels: NDArray[np.int64], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yield `(B,)` rows, about half of them labelled."""
        if not self._teacher:
            self.known[np.unique(labels[labels != UNLABELLED])] = True
        size = self.recipe.batch_size
        sizes = cycle(epoch_sizes(len(labels), size) if self.recipe.by_epoch else [size])
        if not self.recipe.balanced:
            for count in sizes:
                yield drawn_evenly(labels, count, rng)
        sampler = AlternatingSampler(labels, rng)
        for count in sizes:
            yield sampler.take(count)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return `cross_entropy`, `entropy`, `consistency`, in time `reinforcement`, and `distillation`."""
        self.begin(batch.progress)
        recipe = self.recipe
        weaker = weak_view if recipe.weak == "shifted" else mirrored_view
        stronger = strong_view if recipe.strong == "masked" else resampled_view
        views = [weaker(batch.images, self.rng), stronger(batch.images, self.rng)]
        images = [to_float(view).contiguous(memory_format=torch.channels_last) for view in views]
        features = [self.network(view) for view in images]
        weak, strong = (feature.logits.float() for feature in features)
        losses = self.from_logits(weak, strong, batch.labels, self.known)
        if self._teacher and recipe.distillation:
            losses["distillation"] = recipe.distillation * teacher_distillation(
                self.teacher, images[0], features[0].pooled, batch.labels
            )
        return losses

    def begin(self, progress: float) -> None:
        """Before a step, end an epoch that is over, given the share of the steps that are done."""
        epoch = epoch_of(progress, self.recipe.epochs)
        if epoch > int(self.state[0]):
            self.end_epoch()
            self.state[0] = epoch

    def end_epoch(self) -> None:
        """Take the threshold from the tally and begin another one."""
        found = novel_threshold(self.tally, self.recipe.threshold, self.recipe.largest_ratio)
        self.state[1] = self.state[1] if found is None else found
        self.tally.zero_()

    def from_logits(self, weak: Tensor, strong: Tensor, labels: Tensor, known: Tensor) -> dict[str, Tensor]:
        """Return the losses of `(B, C)` logits of two views, without distillation; see `losses`."""
        recipe, epoch, labelled = self.recipe, int(self.state[0]), labels != UNLABELLED
        taking_part = torch.ones_like(labelled) if recipe.everyone else ~labelled
        self.tally += agreed_confidences(weak[taking_part], strong[taking_part], known)
        both, truth = torch.cat([weak[labelled], strong[labelled]]), labels[labelled].repeat(2)
        evenness = math.log(len(known)) - mean_entropy(torch.cat([weak, strong]))
        losses = {
            "cross_entropy": functional.cross_entropy(both, truth, reduction="sum") / max(len(truth), 1),
            "entropy": recipe.entropy * evenness,
            "consistency": recipe.consistency
            * consistency_loss(
                weak[taking_part], strong[taking_part], (epoch + 1) / recipe.epochs, recipe.confidence
            ),
        }
        if epoch >= recipe.warm_up:
            student = strong if recipe.taught == "strong" else weak
            thresholds = (recipe.threshold, float(self.state[1]))
            losses["reinforcement"] = recipe.reinforcement * reinforcement_loss(
                weak[~labelled], student[~labelled], known, thresholds
            )
        return losses
