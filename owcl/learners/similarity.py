"""How alike the images of a batch are: globally, patch by patch, and in their fine detail.

All of it only chooses pairs, so nothing here carries a gradient, and all of it is computed in float32,
also under mixed precision: the votes compare values of which some must be exactly equal.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from owcl.errors import BadInput

SMALLEST_NORM = 1e-12
"""A dead patch gets similarity 0 to everything in place of NaN."""
BATCH_NORM_EPSILON = 1e-5


@torch.no_grad()
def patch_pool(feature_map: Tensor, cells: int) -> Tensor:
    """Average a feature map over `cells` x `cells` windows of equal size, which overlap.

    The stride is `floor(H / cells)` and the window is what remains, `H - (cells - 1) * stride`. Adaptive
    pooling, which libraries offer, gives other windows and so other votes.

    Args:
        feature_map: `(B, D, H, W)`.
        cells: windows along each side, at most `min(H, W)`.

    Returns:
        `(B, D, P)` float32 with `P = cells ** 2`, row by row.

    Raises:
        BadInput: if the map has fewer rows or columns than `cells`.

    Source:
        Contrastive Pseudo Learning for Open-World DeepFake Attribution, ICCV 2023 (arXiv 2309.11132).
    """
    height, width = feature_map.shape[-2:]
    if not 1 <= cells <= min(height, width):
        raise BadInput(
            f"patch pooling: {cells} cells a side on a feature map of {height} x {width}. "
            "Between 1 and the map's smaller side is expected. Lower the cells or enlarge the images."
        )
    stride = (height // cells, width // cells)
    window = (height - (cells - 1) * stride[0], width - (cells - 1) * stride[1])
    return functional.avg_pool2d(feature_map.float(), window, stride).flatten(2)


@torch.no_grad()
def standardise(features: Tensor) -> Tensor:
    """Shift and scale every entry of `(B, ...)` features to mean 0 and variance 1 over the batch.

    This is batch normalisation without parameters, which the local branch never trains anyway.
    """
    # torch.var_mean over the first axis takes twenty times as long as the two passes written out.
    centred = features.float() - features.float().mean(dim=0)
    return centred * torch.rsqrt(centred.square().mean(dim=0) + BATCH_NORM_EPSILON)


@torch.no_grad()
def global_similarity(features: Tensor) -> Tensor:
    """Return the `(B, B)` cosines between `(B, D)` features."""
    directions = functional.normalize(features.float(), dim=1, eps=SMALLEST_NORM)
    return products(directions, directions)


@torch.no_grad()
def local_similarity(patches: Tensor) -> Tensor:
    """Compare images at the same places, giving weight to the places where the first one is strong.

    `s[i, j] = sum_p w_i(p) cos(f_i^p, f_j^p)` with `w_i(p) = |f_i^p| / sqrt(sum_q |f_i^q|^2)`. The
    weights of an image have squares that sum to 1, so `s[i, i]` is in `[1, sqrt(P)]`; and they are the
    first image's, so the result is not symmetric.

    Args:
        patches: `(B, D, P)` features, standardised over the batch.

    Returns:
        `(B, B)`; row `i` is how image `i` sees the others.

    Source:
        Contrastive Pseudo Learning for Open-World DeepFake Attribution, ICCV 2023 (arXiv 2309.11132).
    """
    # The weight cancels the norm of the first image's patch, which leaves one matrix product:
    # w_i(p) f_i^p / |f_i^p| = f_i^p / |f_i|, the norm over all patches together.
    weighted = functional.normalize(patches.float().flatten(1), dim=1, eps=SMALLEST_NORM)
    return products(weighted, _patch_directions(patches))


@torch.no_grad()
def patch_similarity(feature_map: Tensor, cells: int) -> Tensor:
    """Return the `(B, B)` local similarities of `(B, D, H, W)` feature maps in `cells` x `cells` patches.

    Raises:
        BadInput: if the map has fewer rows or columns than `cells`.
    """
    return local_similarity(standardise(patch_pool(feature_map, cells)))


@torch.no_grad()
def haar_details(feature_map: Tensor) -> Tensor:
    """Return the three detail bands of a one-level Haar transform.

    Args:
        feature_map: `(B, D, H, W)` with even sides.

    Returns:
        `(3, B, D, R)` float32 with `R = H W / 4`: rows, columns and diagonal of each 2 x 2 block, up to
        sign, with the energy of the map less its approximation.

    Raises:
        BadInput: if a side is odd.

    Source:
        Rethinking Open-World DeepFake Attribution with Multi-perspective Sensory Learning, IJCV 2025.
    """
    height, width = feature_map.shape[-2:]
    if height % 2 or width % 2:
        raise BadInput(
            f"Haar details: a feature map of {height} x {width}. Even sides are expected. "
            "Use images whose feature map has even sides."
        )
    feature_map = feature_map.float()
    a, b = feature_map[..., 0::2, 0::2], feature_map[..., 0::2, 1::2]
    c, d = feature_map[..., 1::2, 0::2], feature_map[..., 1::2, 1::2]
    return torch.stack([a + b - c - d, a - b + c - d, a - b - c + d]).div(2).flatten(3)


@torch.no_grad()
def detail_similarity(band: Tensor) -> Tensor:
    """Return `(B, B)` sums over places of the cosines between `(B, D, R)` details; symmetric."""
    directions = _patch_directions(band)
    return products(directions, directions)


def _patch_directions(patches: Tensor) -> Tensor:
    return functional.normalize(patches.float(), dim=1, eps=SMALLEST_NORM).flatten(1)


def products(rows: Tensor, columns: Tensor) -> Tensor:
    """Return `rows @ columns.T` in the precision of its arguments, also under mixed precision."""
    with torch.autocast(rows.device.type, enabled=False):
        return rows @ columns.T
