"""Is one part of a face unlike the rest? Multiple-instance learning over the similarities of its patches.

A face is a bag of pairs of patches. In a genuine face all pairs are alike; where a part was made again, the
pairs across its border are not, and stand at the front of the list of similarities.

Source:
    Hong, Hsu and Liu, Contrastive Learning for DeepFake Classification and Localization via Multi-Label
    Ranking, CVPR 2024 (DOI 10.1109/CVPR52733.2024.01669).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

LOGIT_OFFSET = 1e-3
"""Keeps the loss of a forged face without any contrast, and its gradient, finite."""


Cuts = Literal["all", "regions"]
"""Cuts of the sorted pairs that are tried: every one, or those that two regions could make."""


class Contrast(NamedTuple):
    """How far the pairs of a face fall apart into two heaps."""

    gap: Tensor
    """`(B,)` mean similarity of the pairs behind the best cut, less that of the pairs before it."""
    cut: Tensor
    """`(B,)` int64 pairs before the cut."""


def pairwise_similarity(patches: Tensor) -> Tensor:
    """Return `(B, N, N)` cosines of `(B, N, D)` patches, negative ones raised to 0."""
    with torch.autocast(patches.device.type, enabled=False):
        wide = patches if patches.dtype == torch.float64 else patches.float()
        directions = functional.normalize(wide, dim=2, eps=1e-6)
        return (directions @ directions.transpose(1, 2)).clamp(0.0, 1.0)


def sorted_pairs(similarity: Tensor) -> Tensor:
    """Return the `(B, N(N-1)/2)` similarities of different patches of `(B, N, N)`, ascending."""
    rows, columns = _pairs(similarity)
    return similarity[:, rows, columns].sort(dim=1).values


@torch.no_grad()
def contrast_curve(pairs: Tensor) -> Tensor:
    """Return `(B, n-1)` float64 differences of means behind and before every cut of `(B, n)` sorted pairs.

    The prefix sums are taken in float64: in float32 the tail of the curve is wrong in the second digit.
    """
    count = pairs.shape[1]
    sums = pairs.double().cumsum(dim=1)
    before = torch.arange(1, count, device=pairs.device, dtype=torch.float64)
    return (sums[:, -1:] - sums[:, :-1]) / (count - before) - sums[:, :-1] / before


def cuts_between_regions(patches: int, device: torch.device | str = "cpu") -> Tensor:
    """Return, ascending, the numbers of pairs that go across when some patches differ from the others."""
    size = torch.arange(1, patches // 2 + 1, device=device)
    return size * (patches - size)


def cuts_tried(cuts: Cuts, patches: int, device: torch.device | str = "cpu") -> Tensor | None:
    """Return the candidates of `largest_contrast` for the pairs of so many patches; none means all."""
    return cuts_between_regions(patches, device) if cuts == "regions" else None


def largest_contrast(pairs: Tensor, cuts: Tensor | None = None) -> Contrast:
    """Find where the sorted pairs fall apart most.

    Args:
        pairs: `(B, n)`, ascending.
        cuts: `(K,)` candidates in `[1, n-1]`; all of them when there are none.

    Source:
        CVPR 2024, the maximum of P(x; k) over k, with u+ the mean behind the cut and u- the mean before it.
    """
    curve = contrast_curve(pairs)
    cut = curve.argmax(dim=1) + 1 if cuts is None else cuts[curve[:, cuts - 1].argmax(dim=1)]
    # Through the chosen cut only, which has the gradient of the maximum and needs less memory.
    before = torch.arange(pairs.shape[1], device=pairs.device) < cut[:, None]
    count = cut.to(pairs.dtype)
    front = pairs.masked_fill(~before, 0.0).sum(dim=1) / count
    rest = pairs.masked_fill(before, 0.0).sum(dim=1) / (pairs.shape[1] - count)
    return Contrast(rest - front, cut)


def forgery_probability(gap: Tensor, temperature: float) -> Tensor:
    """Return `(B,)` probabilities of being forged, `tanh(gap / 2 temperature)`."""
    return torch.tanh(gap / (2 * temperature))


def forgery_loss(gap: Tensor, forged: Tensor, temperature: float, offset: float = LOGIT_OFFSET) -> Tensor:
    """Return the `(B,)` negative log likelihood of whether faces are forged, without forming 1 - tanh.

    Args:
        gap: `(B,)` of `largest_contrast`.
        forged: `(B,)` bool.
        temperature: of the probability; from 0.5 on no face could ever count as forged.
        offset: added for forged faces.
    """
    scaled = gap / temperature
    genuine = functional.softplus(scaled) - math.log(2)
    moved = (scaled + offset).clamp_min(1e-12)
    return torch.where(forged, torch.log1p(torch.exp(-moved)) - torch.log(-torch.expm1(-moved)), genuine)


def unevenness(pairs: Tensor) -> Tensor:
    """Return the `(B,)` mean distance from 1 of `(B, n)` similarities, which genuine faces should not have.

    Source:
        CVPR 2024, l_Reg; the mean where the slides print the sum, whose scale grows with the pairs.
    """
    return (1 - pairs).mean(dim=1)


def odd_patches(similarity: Tensor) -> Tensor:
    """Return `(B, N)` how unlike all other patches each one is, in [0, 1], given `(B, N, N)`."""
    count = similarity.shape[1]
    return 1 - (similarity.sum(dim=2) - similarity.diagonal(dim1=1, dim2=2)) / (count - 1)


def unlike_anchors(similarity: Tensor, anchors: Tensor) -> Tensor:
    """Return `(B, N)` how unlike some patches each one is, in [0, 1].

    Where more than half of a face was edited, `odd_patches` points at what was left alone; this does not.

    Args:
        similarity: `(B, N, N)`.
        anchors: `(A,)` patches that are taken to be genuine.
    """
    return 1 - similarity[:, :, anchors].mean(dim=2)


def cut_votes(similarity: Tensor, cut: Tensor) -> Tensor:
    """Return `(B, N)` the share of each patch's pairs that stand before the cut.

    Args:
        similarity: `(B, N, N)`.
        cut: `(B,)` of `largest_contrast`.
    """
    rows, columns = _pairs(similarity)
    values = similarity[:, rows, columns]
    places = values.argsort(dim=1, stable=True).argsort(dim=1)
    before = (places < cut[:, None]).to(similarity.dtype)
    votes = torch.zeros(similarity.shape[:2], dtype=similarity.dtype, device=similarity.device)
    for ends in (rows, columns):
        votes.index_add_(1, ends, before)
    return votes / (similarity.shape[1] - 1)


def _pairs(similarity: Tensor) -> tuple[Tensor, Tensor]:
    count = similarity.shape[1]
    rows, columns = torch.triu_indices(count, count, offset=1, device=similarity.device)
    return rows, columns
