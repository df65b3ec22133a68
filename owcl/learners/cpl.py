"""Contrastive Pseudo Learning: neighbours that agree globally and locally teach each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from owcl.faces.views import cropped_view, to_float, weak_view
from owcl.learners import voting
from owcl.learners.base import UNLABELLED, Batch, Taught
from owcl.learners.distillation import teacher_distillation
from owcl.learners.losses import margin_cross_entropy, mean_entropy, pair_loss
from owcl.learners.pseudo_labels import csp_loss, gumbel_noise
from owcl.learners.sampling import AlternatingSampler, ShareSampler, epoch_sizes
from owcl.learners.similarity import global_similarity, patch_similarity
from owcl.models.network import Features, Network

Vote = Callable[[Tensor, Tensor], Tensor]
VOTES: dict[str, Vote] = {"mutual_top1": voting.mutual_top1, "official": voting.official}


@dataclass(frozen=True)
class Recipe:
    """What a flavour of CPL is made of."""

    vote: Literal["mutual_top1", "official"] = "mutual_top1"
    """The rule of the paper, or that of the released code."""
    cells: int = 3
    """Patches along each side of the feature map."""
    pairs: float = 0.5
    """Weight of global-local voting's pair loss."""
    pseudo_labels: float = 0.5
    """Weight of the confidence-based soft pseudo-labels."""
    entropy: float = 0.2
    """Weight of the entropy of the mean prediction; in a stream the classes of a batch are far from even,
    and the published 1.0 would force them to be."""
    margin: float = 0.0
    """Added to the true class's logit."""
    smoothing: float = 0.1
    """Share of each label that is spread over all outputs."""
    confidence_gradient: bool = False
    """Whether the confidence weight carries gradient, as in the released code, where it works against the
    pseudo-labels."""
    distillation: float = 1.0
    """Weight of feature distillation towards the last accepted model, on faces of its own classes."""
    batch_size: int = 128
    """Part of the method, since votes are taken inside the batch."""
    labelled_share: float | None = 0.75
    """Of each batch, in [0, 1]; None for unlabelled and labelled in turn, as published. After a discovery
    every class has labelled faces, which teach more than those without."""
    by_epoch: bool = False
    """Whether each epoch ends with a batch of what is left, whose pairs do not count, as published."""
    view: Literal["shifted", "cropped"] = "shifted"
    """What is seen of a face; cropped and recoloured at times, as published, or moved by whole pixels."""


OFFICIAL = Recipe(
    vote="official",
    entropy=1.0,
    margin=0.2,
    smoothing=0.0,
    confidence_gradient=True,
    distillation=0.0,
    labelled_share=None,
)
"""The preset `official_cpl`: losses and batches of the released code."""


class CPL(Taught):
    """Global-Local Voting and Confidence-based Soft Pseudo-labels on partly labelled batches.

    Args:
        network: what learns; its head already has an output for every class.
        rng: draws views, pairs and pseudo-labels.
        recipe: ours by default, or `OFFICIAL`.
        teacher: the last accepted model, for distillation; it is not changed.

    Source:
        Contrastive Pseudo Learning for Open-World DeepFake Attribution, ICCV 2023 (arXiv 2309.11132).
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
        """Yield `(B,)` rows, so many of them labelled as the recipe says, and these balanced over classes.

        Raises:
            BadInput: if no row is labelled, or none is unlabelled.
        """
        share, size = self.recipe.labelled_share, self.recipe.batch_size
        sampler = AlternatingSampler(labels, rng) if share is None else ShareSampler(labels, share, rng)
        for count in cycle(epoch_sizes(len(labels), size) if self.recipe.by_epoch else [size]):
            yield sampler.take(count)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return `cross_entropy`, `pairs`, `pseudo_labels`, `entropy`, and with a teacher `distillation`."""
        order = torch.argsort((batch.labels == UNLABELLED).int(), stable=True)
        labels = batch.labels[order]
        view = weak_view if self.recipe.view == "shifted" else cropped_view
        views = to_float(view(batch.images[order], self.rng))
        images = views.contiguous(memory_format=torch.channels_last)
        features = self.network(images)
        losses = self._from_features(features, labels)
        if self._teacher and self.recipe.distillation:
            losses["distillation"] = self.recipe.distillation * teacher_distillation(
                self.teacher, images, features.pooled, labels
            )
        return losses

    def _from_features(self, features: Features, labels: Tensor) -> dict[str, Tensor]:
        recipe = self.recipe
        num_labelled = int((labels != UNLABELLED).sum())
        logits = features.logits.float()
        alike = global_similarity(features.pooled)
        votes, trusted = self._votes(alike, features)
        noise = torch.rand(alike.shape, generator=self.rng).to(alike.device)
        partners = voting.partners(labels, voting.nearest(alike), votes, noise)
        unlabelled = logits[num_labelled:]
        counts = not recipe.by_epoch or len(labels) == recipe.batch_size
        soft = csp_loss(
            unlabelled, trusted[num_labelled:], gumbel_noise(unlabelled, self.rng), recipe.confidence_gradient
        )
        return {
            "cross_entropy": self._cross_entropy(logits[:num_labelled], labels[:num_labelled]),
            "pairs": recipe.pairs * counts * pair_loss(logits, partners),
            "pseudo_labels": recipe.pseudo_labels * soft,
            "entropy": -recipe.entropy * mean_entropy(logits),
        }

    def _votes(self, alike: Tensor, features: Features) -> tuple[Tensor, Tensor]:
        """Return which of `(B,)` faces agree with their neighbour, and which learn a pseudo-label."""
        votes = VOTES[self.recipe.vote](alike, patch_similarity(features.feature_map, self.recipe.cells))
        return votes, votes

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.recipe.margin:
            return margin_cross_entropy(logits, labels, self.recipe.margin)
        return functional.cross_entropy(logits, labels, label_smoothing=self.recipe.smoothing)
