"""Which components of a face were edited, and in which order: multi-label ranking.

Source:
    Hong, Hsu and Liu, CVPR 2024 (DOI 10.1109/CVPR52733.2024.01669); the annotation is that of Shao, Wu and
    Liu, Detecting and Recovering Sequential DeepFake Manipulation, ECCV 2022 (arXiv 2207.02204). The
    pairwise and the graded loss are ours, because the printed one only weighs faces and never lowers one
    component below another.
"""

from __future__ import annotations

from functools import cache
from itertools import permutations
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class OrderTargets(NamedTuple):
    """A sequence of edits, seen from each of L components."""

    presence: Tensor
    """`(B, L)` float, 1 where a component was edited."""
    ranks: Tensor
    """`(B, L)` int64, 1 for the first edit; L for every component that was left alone."""


@cache
def ordered_subsets(components: int) -> tuple[tuple[int, ...], ...]:
    """Return every sequence of edits without repetition as a row of L numbers, zeros after its end.

    Its place in this list is the label of a face: 0 is genuine.
    """
    return tuple(
        (*sequence, *[0] * (components - length))
        for length in range(components + 1)
        for sequence in permutations(range(1, components + 1), length)
    )


def order_targets(rows: Tensor) -> OrderTargets:
    """Return what `(B, L)` sequences, numbers from 1 and zeros after the end, ask of each component."""
    components = rows.shape[1]
    edits = functional.one_hot(rows, components + 1)[:, :, 1:]
    presence = edits.sum(dim=1)
    place = torch.arange(1, components + 1, device=rows.device)[None, :, None]
    return OrderTargets(presence.float(), (edits * place).sum(dim=1) + components * (1 - presence))


def component_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return the `(B,)` cross-entropies of `(B, L)` logits to targets in [0, 1], summed over components."""
    return functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(dim=1)


def predicted_ranks(logits: Tensor) -> Tensor:
    """Return the `(B, L)` places of components by descending logit, from 1; ties go to the lower number."""
    return logits.detach().argsort(dim=1, descending=True, stable=True).argsort(dim=1) + 1


def rank_weights(
    predicted: Tensor,
    targets: OrderTargets,
    strength: float = 1.0,
    beyond: Literal["true", "predicted"] = "true",
) -> Tensor:
    """Return how much each component's cross-entropy counts, `(B, L)`.

    Args:
        predicted: `(B, L)` of `predicted_ranks`.
        targets: the truth.
        strength: alpha of the paper.
        beyond: whether the true rank of an absent component or its predicted one decides if it stands behind
            all edits; with the true one, as printed, it always does.
    """
    length = targets.presence.sum(dim=1, keepdim=True)
    decisive = targets.ranks if beyond == "true" else predicted
    behind = (targets.presence == 0) & (decisive > length)
    distance = (predicted - targets.ranks).abs().to(targets.presence.dtype)
    return strength * torch.where(behind, torch.ones_like(distance), distance)


def rank_loss(
    logits: Tensor,
    targets: OrderTargets,
    strength: float = 1.0,
    beyond: Literal["true", "predicted"] = "true",
) -> Tensor:
    """Return the `(B,)` ranking losses of the paper: cross-entropy, weighted by how far off each rank is."""
    weights = rank_weights(predicted_ranks(logits), targets, strength, beyond)
    wanted = targets.presence.to(logits.dtype)
    entropies = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return (weights.to(logits.dtype) * entropies).sum(dim=1)


def pairwise_order_loss(logits: Tensor, targets: OrderTargets, margin: float = 0.0) -> Tensor:
    """Return `(B,)` logistic losses of pairs in which the earlier edit, or any edit, should stand higher.

    Args:
        logits: `(B, L)`.
        targets: the truth.
        margin: by which it should.

    Source:
        Ours; the mean over pairs of an edited component with a later or an absent one.
    """
    higher = (targets.presence[:, :, None] == 1) & (
        (targets.ranks[:, :, None] < targets.ranks[:, None, :])
        # The last of L edits and an absent component have the same rank, but then none is absent.
        | (targets.presence[:, None, :] == 0)
    )
    losses = functional.softplus(margin - (logits[:, :, None] - logits[:, None, :]))
    return losses.masked_fill(~higher, 0.0).sum(dim=(1, 2)) / higher.sum(dim=(1, 2)).clamp_min(1)


def graded_targets(targets: OrderTargets) -> Tensor:
    """Return `(B, L)` targets that fall from 1 by 1 / 2L with each later edit, and are 0 for the absent."""
    components = targets.ranks.shape[1]
    return targets.presence * (1 - (targets.ranks - 1) / (2 * components))


def decoded_sequences(logits: Tensor) -> Tensor:
    """Return the `(B, L)` sequences that `(B, L)` logits say: components from 0 on, the highest first."""
    chosen = logits >= 0
    order = logits.masked_fill(~chosen, -torch.inf).argsort(dim=1, descending=True, stable=True) + 1
    place = torch.arange(logits.shape[1], device=logits.device)
    return torch.where(place < chosen.sum(dim=1, keepdim=True), order, 0)
