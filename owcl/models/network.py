"""The network: a backbone, a normalising neck a stage, and a head that grows."""

from __future__ import annotations

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

    def grow(self, num_classes: int, rows: Tensor | None = None) -> None:
        """Widen the head to `num_classes` outputs; the old ones keep their weights.

        Args:
            num_classes: at least as many as there are.
            rows: `(new, F)` weights of the new outputs; near zero by default.
        """
        old = self.head
        self.head = nn.Linear(old.in_features, num_classes, bias=False).to(old.weight.device)
        with torch.no_grad():
            if rows is None:
                nn.init.normal_(self.head.weight, std=SMALL_START)
            else:
                self.head.weight[old.out_features :] = rows
            self.head.weight[: old.out_features] = old.weight


def _pooled(feature_map: Tensor) -> Tensor:
    return feature_map.mean(dim=(2, 3)).float()
