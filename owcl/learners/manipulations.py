"""Small manipulations made at home, which a network that is to know forgeries must tell apart.

Trained on known methods alone, a network keeps only what separates those, and is blind to others. Telling
apart what blurring, resampling, warping, blending and refilling leave behind keeps its eyes open for
methods that nobody has shown it. The mechanisms are generic: none imitates a particular generator.

Source:
    The idea of self-made blends is that of Li et al., Face X-ray, CVPR 2020, and of Shiohara and Yamasaki,
    Detecting deepfakes with self-blended images, CVPR 2022; here it is a pretext beside attribution.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def manipulate(images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Apply to each image one manipulation, or none.

    Args:
        images: `(B, 3, H, W)` uint8.
        rng: draws kinds and strengths.

    Returns:
        `(B, 3, H, W)` uint8, and `(B,)` int64 kinds in `[0, NUM_KINDS)`, 0 for an untouched image.
    """
    kinds = torch.randint(NUM_KINDS, (len(images),), generator=rng)
    changed = images.float() / 255
    # Rounding to bfloat16 would be a trace of its own.
    with torch.autocast(images.device.type, enabled=False):
        for kind, mechanism in enumerate(MECHANISMS, start=1):
            chosen = kinds == kind
            if chosen.any():
                changed[chosen] = mechanism(changed[chosen], rng)
    return (changed.clamp(0, 1) * 255).round().to(torch.uint8), kinds


def _smooth(images: Tensor, rng: torch.Generator) -> Tensor:
    return _somewhere(images, _blurred(images, _uniform(0.45, 1.2, rng)), rng)


def _resample(images: Tensor, rng: torch.Generator) -> Tensor:
    size = images.shape[-1]
    small = int(size * _uniform(0.45, 0.9, rng))
    mode = ("bilinear", "bicubic", "nearest-exact")[_integer(3, rng)]
    reduced = functional.interpolate(images, size=(small, small), mode="bilinear", antialias=True)
    return _somewhere(images, functional.interpolate(reduced, size=(size, size), mode=mode), rng)


def _warp(images: Tensor, rng: torch.Generator) -> Tensor:
    knots = 3 + _integer(4, rng), 3 + _integer(4, rng)
    flow = torch.randn(len(images), 2, *knots, generator=rng) * _uniform(0.01, 0.06, rng)
    flow = functional.interpolate(flow, size=images.shape[-2:], mode="bicubic") * _masks(images, rng)
    return _sampled(images, _identity(images) + flow.permute(0, 2, 3, 1))


def _blend(images: Tensor, rng: torch.Generator) -> Tensor:
    donors = images[torch.randperm(len(images), generator=rng)]
    masks = _masks(images, rng)
    difference = ((images - donors) * masks).sum(dim=(2, 3), keepdim=True)
    shift = difference / masks.sum(dim=(2, 3), keepdim=True)
    return torch.lerp(images, donors + shift * _uniform(0, 1, rng), masks)


def _blend_with_itself(images: Tensor, rng: torch.Generator) -> Tensor:
    scale, right, down = _uniform(0.9, 1.1, rng), _uniform(-0.1, 0.1, rng), _uniform(-0.1, 0.1, rng)
    moved = _sampled(images, _identity(images) * scale + torch.tensor([right, down]))
    recoloured = moved * _uniform(0.85, 1.15, rng) + _uniform(-0.06, 0.06, rng)
    return torch.lerp(images, recoloured, _masks(images, rng))


def _refill(images: Tensor, rng: torch.Generator) -> Tensor:
    coarse = functional.interpolate(images, size=(6 + _integer(11, rng),) * 2, mode="area")
    filling = functional.interpolate(coarse, size=images.shape[-2:], mode="bicubic")
    return torch.lerp(images, filling, _masks(images, rng))


def _add_noise(images: Tensor, rng: torch.Generator) -> Tensor:
    noise = torch.randn(images.shape, generator=rng) * _uniform(0.008, 0.04, rng)
    # Grey images are three equal channels, and must stay so.
    is_grey = (images[:, :1] == images).all(dim=(1, 2, 3), keepdim=True)
    return _somewhere(images, images + torch.where(is_grey, noise[:, :1], noise), rng)


def _sharpen(images: Tensor, rng: torch.Generator) -> Tensor:
    detail = images - _blurred(images, _uniform(0.6, 1.2, rng))
    return _somewhere(images, images + detail * _uniform(0.3, 1.2, rng), rng)


MECHANISMS = (_smooth, _resample, _warp, _blend, _blend_with_itself, _refill, _add_noise, _sharpen)
NUM_KINDS = 1 + len(MECHANISMS)
"""The mechanisms and the untouched image."""


def _somewhere(images: Tensor, changed: Tensor, rng: torch.Generator) -> Tensor:
    """Change each image as a whole, or in one region only, at even odds."""
    whole = torch.rand(len(images), 1, 1, 1, generator=rng) < 0.5
    return torch.where(whole, changed, torch.lerp(images, changed, _masks(images, rng)))


def _masks(images: Tensor, rng: torch.Generator) -> Tensor:
    """Return `(B, 1, H, W)` soft ellipses of random place, size and softness."""
    height, width = images.shape[-2:]
    rows = torch.linspace(0, 1, height)[:, None]
    columns = torch.linspace(0, 1, width)[None, :]

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(images), 1, 1, generator=rng)

    across, down = (columns - draw(0.2, 0.8)) / draw(0.1, 0.35), (rows - draw(0.2, 0.85)) / draw(0.1, 0.35)
    return torch.sigmoid(2 * (1 - across**2 - down**2) / draw(0.05, 0.5))[:, None]


def _blurred(images: Tensor, sigma: float) -> Tensor:
    distances = torch.arange(-3.0, 4.0)
    kernel = torch.exp(-(distances**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(images.shape[1], 1, 7)
    padded = functional.pad(images, (3, 3, 3, 3), mode="reflect")
    groups = images.shape[1]
    across = functional.conv2d(padded, kernel[:, :, None, :], groups=groups)
    return functional.conv2d(across, kernel[:, :, :, None], groups=groups)


def _identity(images: Tensor) -> Tensor:
    return functional.affine_grid(
        torch.eye(2, 3).expand(len(images), 2, 3), list(images.shape), align_corners=False
    )


def _sampled(images: Tensor, grid: Tensor) -> Tensor:
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _uniform(low: float, high: float, rng: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=rng))


def _integer(below: int, rng: torch.Generator) -> int:
    return int(torch.randint(below, (), generator=rng))
