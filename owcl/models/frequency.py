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
            (rows, rows_back), (columns, columns_back) = (
                self._basis(side, images.device) for side in images.shape[2:]
            )
            spectrum = rows @ images.float() @ columns.T
            kept = spectrum * self.mask(spectrum).sigmoid()
            back = rows_back @ kept @ columns_back.T
            attention: Tensor = back.mean(dim=1, keepdim=True).sigmoid()
            return attention

    def _basis(self, size: int, device: torch.device) -> Tensor:
        """Return the `(2, N, N)` transform and its inverse, a buffer that moves with the weights."""
        name = f"basis_{size}"
        if not hasattr(self, name):
            # What is made under inference mode could not be trained with later.
            with torch.inference_mode(False):
                basis = cosine_basis(size, self.orthonormal)
                both = torch.stack([basis, torch.linalg.inv(basis)]).to(device)
                self.register_buffer(name, both, persistent=False)
        return self.get_buffer(name)


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
