"""What a network sees of a face: scaled pixels, and in training a slightly different view each time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LARGEST_SHIFT = 3
"""Pixels in each direction; whole ones, because any resampling would wipe out the traces."""
RARELY = 0.2
"""Share of images that published views crop, and that they recolour."""
CROP_TRIES = 10
"""As torchvision has it; after them the whole image is taken."""


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


def mirrored_view(images: Tensor, rng: torch.Generator) -> Tensor:
    """Return the weak view of CAL: `(B, 3, H, W)` images, each mirrored at even odds."""
    mirrored = (torch.rand(len(images), 1, 1, 1, generator=rng) < 0.5).to(images.device)
    return torch.where(mirrored, images.flip(3), images)


def cropped_view(images: Tensor, rng: torch.Generator) -> Tensor:
    """Return the one view of CPL, `(B, 3, H, W)` uint8: mirrored, at times cropped, at times recoloured.

    One image in five is cropped and resampled twice, and one in five changes brightness and contrast.
    """
    pixels = mirrored_view(images, rng).float() / 255
    pixels = torch.where(_one_in_five(pixels, rng), _resampled(pixels, _crops(len(images), rng)), pixels)
    gain, offset = 1 + _up_to(0.2, pixels, rng), _up_to(0.2, pixels, rng)
    pixels = torch.where(_one_in_five(pixels, rng), pixels * gain + offset, pixels)
    return _to_bytes(pixels)


def resampled_view(images: Tensor, rng: torch.Generator) -> Tensor:
    """Return the strong view of CAL, `(B, 3, H, W)` uint8: resampled twice, at times cropped and recoloured.

    Every image is enlarged by 292/256 and brought back, one in five after a crop, and one in five changes
    brightness and contrast. It takes fine traces away and is here for comparison.
    """
    pixels = mirrored_view(images, rng).float() / 255
    whole = torch.eye(2, 3).expand(len(images), 2, 3)
    cropped = torch.rand(len(images), 1, 1, generator=rng) < RARELY
    pixels = _resampled(pixels, torch.where(cropped, _crops(len(images), rng), whole))
    brightness, contrast = (1 + _up_to(0.4, pixels, rng) for _ in range(2))
    one, other = (jittered(pixels, brightness, contrast, first) for first in ("brightness", "contrast"))
    changed = torch.where((torch.rand(len(images), 1, 1, 1, generator=rng) < 0.5).to(one.device), one, other)
    return _to_bytes(torch.where(_one_in_five(pixels, rng), changed, pixels))


def jittered(pixels: Tensor, brightness: Tensor, contrast: Tensor, first: str) -> Tensor:
    """Multiply images by a brightness, and their distance from their mean grey by a contrast.

    Args:
        pixels: `(B, 3, H, W)` in [0, 1]; clipped to it after each of the two.
        brightness: `(B, 1, 1, 1)` factors.
        contrast: `(B, 1, 1, 1)` factors.
        first: `brightness` or `contrast`.
    """
    if first == "brightness":
        pixels = (pixels * brightness).clamp(0, 1)
    red, green, blue = torch.split(pixels, 1, dim=1)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    pixels = torch.lerp(grey.mean(dim=(2, 3), keepdim=True), pixels, contrast).clamp(0, 1)
    return pixels if first == "brightness" else (pixels * brightness).clamp(0, 1)


def _crops(batch: int, rng: torch.Generator) -> Tensor:
    """Return `(B, 2, 3)` affine maps onto crops of at least half the area, of sides 3:4 to 4:3."""
    area = 0.5 + 0.5 * torch.rand(CROP_TRIES, batch, generator=rng)
    ratio = (4 / 3) ** (2 * torch.rand(CROP_TRIES, batch, generator=rng) - 1)
    sides = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()])
    fits = (sides <= 1).all(dim=0)
    drawn = sides[:, fits.int().argmax(dim=0), torch.arange(batch)].where(fits.any(dim=0), 1.0).T
    place = (1 - drawn) * (2 * torch.rand(batch, 2, generator=rng) - 1)
    return torch.cat([torch.diag_embed(drawn), place[:, :, None]], dim=2)


def _resampled(pixels: Tensor, maps: Tensor) -> Tensor:
    """Enlarge crops of `(B, 3, H, W)` images to 292/256 of the whole, and bring them back to its size."""
    height, width = pixels.shape[-2:]
    larger = [round(side * 292 / 256) for side in (height, width)]
    grid = functional.affine_grid(maps.to(pixels.device), [len(pixels), 3, *larger], align_corners=False)
    enlarged = functional.grid_sample(
        pixels, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return functional.interpolate(enlarged, (height, width), mode="bilinear", antialias=True)


def _one_in_five(pixels: Tensor, rng: torch.Generator) -> Tensor:
    return (torch.rand(len(pixels), 1, 1, 1, generator=rng) < RARELY).to(pixels.device)


def _up_to(limit: float, pixels: Tensor, rng: torch.Generator) -> Tensor:
    """Return `(B, 1, 1, 1)` numbers between minus and plus the limit."""
    return (limit * (2 * torch.rand(len(pixels), 1, 1, 1, generator=rng) - 1)).to(pixels.device)


def _to_bytes(pixels: Tensor) -> Tensor:
    return pixels.clamp(0, 1).mul(255).round().to(torch.uint8)


def _reflected(positions: Tensor, length: int) -> Tensor:
    positions = positions.abs()
    return torch.where(positions >= length, 2 * (length - 1) - positions, positions)
