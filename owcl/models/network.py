"""The network: a backbone, a normalising neck a stage, and a head that grows."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

SMALL_START = 1e-3
"""Standard deviation of new rows of the head: their logits start near 0 and favour nobody (CPL)."""


class Features(NamedTuple):
    """What the network makes of `(B, 3, H, W)` images."""

    feature_map: Tensor
    """`(B, F, h, w)` of the last stage."""
    pooled: Tensor
    """`(B, F)` of the last stage after its neck; the global feature of CPL."""
    logits: Tensor
    """`(B, C)`."""


class Network(nn.Module):
    """A backbone whose pooled last stage, batch-normalised without a shift, feeds a linear head.

    The earlier stages feed the embedding: novelty hides in them when training has pressed the last one
    into the known classes.

    Args:
        backbone: returns its stages' maps and says their `widths`.
        num_classes: outputs at the start.
        dropout: share of the global feature that is dropped before the head in training.
    """

    def __init__(self, backbone: nn.Module, num_classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.backbone = backbone
        widths: tuple[int, ...] = backbone.widths  # type: ignore[assignment]
        self.early_necks = nn.ModuleList([nn.BatchNorm1d(width, affine=False) for width in widths[:-1]])
        self.neck = nn.BatchNorm1d(widths[-1])
        self.neck.bias.requires_grad_(False)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], num_classes, bias=False)
        nn.init.normal_(self.head.weight, std=SMALL_START)

    @property
    def num_classes(self) -> int:
        """Outputs of the head."""
        return self.head.out_features

    @property
    def embedding_size(self) -> int:
        """D of `embed`."""
        return sum(neck.num_features for neck in [*self.early_necks, self.neck])

    def forward(self, images: Tensor) -> Features:
        """Return the features of `(B, 3, H, W)` float images in [-1, 1]."""
        *early, last = self.backbone(images)
        if self.training:
            for neck, feature_map in zip(self.early_necks, early, strict=True):
                neck(_pooled(feature_map).detach())
        pooled = self.neck(_pooled(last))
        return Features(last, pooled, self.head(self.dropout(pooled)))

    def embed(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return `(B, D)` embeddings of unit length and `(B, C)` logits of `(B, 3, H, W)` images.

        Each stage's normalised mean counts alike.
        """
        *early, last = self.backbone(images)
        pooled = self.neck(_pooled(last))
        necks = zip(self.early_necks, early, strict=True)
        parts = [neck(_pooled(feature_map)) for neck, feature_map in necks]
        directions = [functional.normalize(part, dim=1) for part in [*parts, pooled]]
        return functional.normalize(torch.cat(directions, dim=1), dim=1), self.head(pooled)

    def set_outputs(self, rows: Tensor) -> None:
        """Give the head the `(C, F)` weights `rows`, one row an output."""
        self.head = nn.Linear(rows.shape[1], rows.shape[0], bias=False).to(rows.device)
        with torch.no_grad():
            self.head.weight.copy_(rows)


def _pooled(feature_map: Tensor) -> Tensor:
    return feature_map.mean(dim=(2, 3)).float()


def small_rows(count: int, width: int, rng: torch.Generator) -> Tensor:
    """Return `(count, width)` weights of new outputs, whose logits start near 0 and favour nobody."""
    return SMALL_START * torch.randn(count, width, generator=rng)


def with_outputs(
    network: Network, present: Sequence[int], wanted: Sequence[int], rng: torch.Generator
) -> Network:
    """Return a copy of a network whose head has other outputs.

    Args:
        network: is not changed.
        present: class ids of its outputs, in order.
        wanted: class ids of the copy's outputs, in order; those that are present keep their weights.
        rng: draws the weights of the others.
    """
    twin = copy.deepcopy(network)
    old = network.head.weight.detach()
    rows = small_rows(len(wanted), old.shape[1], rng).to(old.device)
    for output, class_id in enumerate(wanted):
        if class_id in present:
            rows[output] = old[present.index(class_id)]
    twin.set_outputs(rows)
    return twin
