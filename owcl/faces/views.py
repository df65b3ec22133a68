"""What a network sees of a face: scaled pixels, and in training a slightly different view each time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LARGEST_SHIFT = 3
"""Pixels in each direction; whole ones, because any resampling would wipe out the traces."""


def to_float(images: Tensor) -> Tensor:
    """Return `(B, 3, H, W)` uint8 images as float32 in [-1, 1]."""
    return images.float().div(127.5).sub(1.0)


def weak_view(images: Tensor, rng: torch.Generator) -> Tensor:
    """Mirror each image at even odds and shift it by whole pixels, reflecting at the border.

    Args:
        images: `(B, 3, H, W)`, any dtype.
        rng: on the CPU.
    """
    batch, _, height, width = images.shape
    mirrored = (torch.rand(batch, generator=rng) < 0.5).to(images.device)
    shifts = torch.randint(-LARGEST_SHIFT, LARGEST_SHIFT + 1, (2, batch), generator=rng).to(images.device)
    rows = _reflected(torch.arange(height, device=images.device) + shifts[0, :, None], height)
    columns = _reflected(torch.arange(width, device=images.device) + shifts[1, :, None], width)
    columns = torch.where(mirrored[:, None], width - 1 - columns, columns)
    which = torch.arange(batch, device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def strong_view(images: Tensor, rng: torch.Generator) -> Tensor:
    """Return a weak view with other brightness and contrast and a patch greyed out, `(B, 3, H, W)` uint8."""
    batch, _, height, width = images.shape
    viewed = to_float(weak_view(images, rng))
    gain, offset = 0.8 + 0.4 * torch.rand(batch, generator=rng), 0.2 * torch.rand(batch, generator=rng) - 0.1
    changed = (
        viewed * gain.to(images.device)[:, None, None, None] + offset.to(images.device)[:, None, None, None]
    )
    corner = torch.rand(2, batch, generator=rng).to(images.device)
    top, left = corner[0] * 0.75 * height, corner[1] * 0.75 * width
    rows = torch.arange(height, device=images.device) - top[:, None]
    columns = torch.arange(width, device=images.device) - left[:, None]
    inside_rows, inside_columns = (rows >= 0) & (rows < height / 4), (columns >= 0) & (columns < width / 4)
    hidden = (inside_rows[:, :, None] & inside_columns[:, None, :])[:, None]
    return functional.hardtanh(changed).masked_fill(hidden, 0.0).add(1).mul(127.5).round().to(torch.uint8)


def resampled_view(images: Tensor, rng: torch.Generator) -> Tensor:
    """Return the strong view of CAL, `(B, 3, H, W)` uint8: resampled twice, at times cropped and recoloured.

    Every image is enlarged by 292/256 and brought back, one in five after a crop of half its area or more,
    and one in five changes brightness and contrast. It takes fine traces away and is here for comparison.
    """
    batch, _, height, width = images.shape
    draws = torch.rand(6, batch, generator=rng)
    cropped = draws[0] < 0.2
    share = torch.where(cropped, (0.5 + 0.5 * draws[1]).sqrt(), 1.0)
    mirrored = torch.where(draws[2] < 0.5, -1.0, 1.0)
    boxes = torch.zeros(batch, 2, 3)
    boxes[:, 0, 0], boxes[:, 1, 1] = share * mirrored, share
    boxes[:, :, 2] = (1 - share)[:, None] * (2 * draws[3:5].T - 1)
    larger = [round(side * 292 / 256) for side in (height, width)]
    grid = functional.affine_grid(boxes.to(images.device), [batch, 3, *larger], align_corners=False)
    enlarged = functional.grid_sample(
        to_float(images), grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    view = functional.interpolate(enlarged, (height, width), mode="bilinear", antialias=True)
    jittered = (draws[5] < 0.2).to(images.device)[:, None, None, None]
    gain, offset = (0.8 * torch.rand(2, batch, 1, 1, 1, generator=rng) - 0.4).to(images.device)
    view = torch.where(jittered, view * (1 + gain) + offset, view)
    return functional.hardtanh(view).add(1).mul(127.5).round().to(torch.uint8)


def _reflected(positions: Tensor, length: int) -> Tensor:
    positions = positions.abs()
    return torch.where(positions >= length, 2 * (length - 1) - positions, positions)
