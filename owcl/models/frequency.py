"""Frequency-guided attention: where in the image do the learned frequencies respond?"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from owcl.models.backbones import Backbone

HIDDEN = 16


def cosine_basis(size: int, orthonormal: bool = True) -> Tensor:
    """Return the `(N, N)` matrix of the discrete cosine transform of type II.

    Orthonormal, or in the convention with factor 2 in which constant images have a coefficient of
    `4 H W mean`; there nearly all of the low frequencies saturate a sigmoid.
    """
    positions, frequencies = torch.arange(size, dtype=torch.float64), torch.arange(size, dtype=torch.float64)
    basis = 2 * torch.cos(math.pi * (2 * positions + 1) * frequencies[:, None] / (2 * size))
    if orthonormal:
        basis *= math.sqrt(0.5 / size)
        basis[0] *= math.sqrt(0.5)
    return basis.float()


class FrequencyAttention(nn.Module):
    """An attention map from the image's spectrum, weighed by a small convolution over frequencies.

    Args:
        orthonormal: which transform; the released code takes the other one.

    Source:
        CAL, the frequency-guided branch in front of its backbone.
    """

    def __init__(self, orthonormal: bool = True) -> None:
        super().__init__()
        self.orthonormal = orthonormal
        self.mask = nn.Sequential(
            nn.Conv2d(3, HIDDEN, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(HIDDEN, 1, 3, padding=1)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return `(B, 1, H, W)` attention in (0, 1) for `(B, 3, H, W)` images."""
        # Under autocast low frequencies would lose all of their digits.
        with torch.autocast(images.device.type, enabled=False):
            images = images.float()
            rows, columns = (
                cosine_basis(side, self.orthonormal).to(images.device) for side in images.shape[2:]
            )
            spectrum = rows @ images @ columns.T
            kept = spectrum * self.mask(spectrum).sigmoid()
            back = torch.linalg.inv(rows) @ kept @ torch.linalg.inv(columns).T
            attention: Tensor = back.mean(dim=1, keepdim=True).sigmoid()
            return attention


class FrequencyGuided(nn.Module):
    """A backbone whose last map is multiplied by the frequency attention of the image.

    Args:
        body: the backbone.
        orthonormal: see `FrequencyAttention`.
    """

    def __init__(self, body: nn.Module, orthonormal: bool = True) -> None:
        super().__init__()
        self.body = body
        self.attention = FrequencyAttention(orthonormal)
        self.widths = cast(Backbone, body).widths

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the body's maps of `(B, 3, H, W)` images, the last one attended."""
        *early, last = self.body(images)
        attention = functional.adaptive_avg_pool2d(self.attention(images), last.shape[-2:])
        return [*early, last * attention]
