"""The network that says whether a face was forged, where, and which components were edited in which order."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 128
LAYERS = 2
HEADS = 4
TOKEN_START = 0.02


class Localisation(NamedTuple):
    """What the network makes of `(B, 3, H, W)` images."""

    patches: Tensor
    """`(B, N, D)` encoded patches, in rows of the grid."""
    maps: Tensor
    """`(B, L, h, w)` what each place adds to a component's `map_logits`."""
    map_logits: Tensor
    """`(B, L)` means of `maps`."""
    token_logits: Tensor
    """`(B, L)` by the class tokens."""

    @property
    def logits(self) -> Tensor:
        """`(B, L)` fused: how early a component was edited, and at 0 or above that it was."""
        return (self.map_logits + self.token_logits) / 2


class Localiser(nn.Module):
    """Patches and one learned token for each component attend to each other, and both vote.

    Args:
        backbone: returns its stages' maps and says their `widths`; the last two are used, and the finer of
            them gives the grid of patches.
        components: how many, L.

    Source:
        Hong, Hsu and Liu, CVPR 2024; below the level of its figure the sizes are ours.
    """

    def __init__(self, backbone: nn.Module, components: int) -> None:
        super().__init__()
        self.backbone = backbone
        widths: tuple[int, ...] = backbone.widths  # type: ignore[assignment]
        self.lateral = nn.ModuleList([nn.Conv2d(width, WIDTH, 1) for width in widths[-2:]])
        self.smooth = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.tokens = nn.Parameter(TOKEN_START * torch.randn(components, WIDTH))
        self.layers = nn.ModuleList([_EncoderLayer() for _ in range(LAYERS)])
        self.normal = nn.LayerNorm(WIDTH)
        self.component_maps = nn.Sequential(
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(WIDTH, components, 1)
        )
        self.token_weights = nn.Parameter(torch.randn(components, WIDTH) / math.sqrt(WIDTH))
        self.token_biases = nn.Parameter(torch.zeros(components))

    @property
    def num_components(self) -> int:
        """L."""
        return len(self.tokens)

    def forward(self, images: Tensor) -> Localisation:
        """Localise what was edited in `(B, 3, H, W)` float images in [-1, 1]."""
        fine, coarse = self.backbone(images)[-2:]
        height, width = fine.shape[-2:]
        above = functional.interpolate(self.lateral[1](coarse), (height, width), mode="nearest")
        grid = self.smooth(self.lateral[0](fine) + above)
        patches = grid.flatten(2).transpose(1, 2)
        count = patches.shape[1]
        encoded = torch.cat([patches, self.tokens.to(patches.dtype).expand(len(images), -1, -1)], dim=1)
        places = _places(height, width, images.device)
        places = functional.pad(places, (0, 0, 0, self.num_components)).to(patches.dtype)
        for layer in self.layers:
            encoded = layer(encoded, places)
        encoded = self.normal(encoded)
        patches, tokens = encoded[:, :count], encoded[:, count:]
        maps = self.component_maps(patches.transpose(1, 2).reshape(len(images), WIDTH, height, width)).float()
        token_logits = (tokens * self.token_weights).sum(dim=2).float() + self.token_biases
        return Localisation(patches, maps, maps.mean(dim=(2, 3)), token_logits)


class _EncoderLayer(nn.Module):
    """Attention and a small perceptron, each behind a norm; places join queries and keys alone.

    In the values they would make distant patches of a genuine face unlike.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(WIDTH)
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, dropout=0.1, batch_first=True)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, encoded: Tensor, places: Tensor) -> Tensor:
        values = self.before_attention(encoded)
        seeking = values + places
        attended, _ = self.attention(seeking, seeking, values, need_weights=False)
        encoded = encoded + attended
        refined: Tensor = encoded + self.perceptron(encoded)
        return refined


def _places(height: int, width: int, device: torch.device) -> Tensor:
    """Return `(height * width, WIDTH)` sines and cosines of rows, then of columns."""
    count = WIDTH // 4
    rates = torch.exp(torch.arange(count, device=device) * (-math.log(10_000.0) / count))
    rows, columns = torch.meshgrid(
        torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
    )
    angles = [axis.flatten()[:, None] * rates for axis in (rows, columns)]
    return torch.cat([wave for angle in angles for wave in (angle.sin(), angle.cos())], dim=1)
