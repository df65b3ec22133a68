"""Losses between two views of a batch: who is like whom, and what one view tells the other.

Cosines are computed in float32, also under mixed precision: divided by a temperature of 0.1 or less, what
bfloat16 rounds away would be up to a twentieth of a logit.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from owcl.learners.similarity import products


def cosine_logits(features: Tensor, prototypes: Tensor) -> Tensor:
    """Return `(B, C)` cosines between `(B, F)` features and `(C, F)` prototypes."""
    directions = functional.normalize(features.float(), dim=1)
    return products(directions, functional.normalize(prototypes.float(), dim=1))


def self_distillation(first: Tensor, second: Tensor, sharpness: float, temperature: float = 0.1) -> Tensor:
    """Let each view predict what the other one says, sharpened.

    Args:
        first: `(B, C)` cosines of one view.
        second: `(B, C)` cosines of the other.
        sharpness: temperature of the view that teaches, which carries no gradient.
        temperature: of the view that learns.

    Returns:
        The mean of the two cross-entropies.

    Source:
        Wen, Zhao and Qi, Parametric Classification for Generalized Category Discovery: A Baseline Study,
        ICCV 2023 (arXiv 2211.11727).
    """
    views = torch.stack([first, second]).float()
    targets = (views.detach() / sharpness).softmax(dim=2).flip(0)
    return -(targets * functional.log_softmax(views / temperature, dim=2)).sum(dim=2).mean()


def info_nce(first: Tensor, second: Tensor, temperature: float = 1.0) -> Tensor:
    """Tell the other view of a face from all other views, `(B, D)` projections of unit length each.

    Source:
        Chen, Kornblith, Norouzi and Hinton, A Simple Framework for Contrastive Learning of Visual
        Representations, ICML 2020 (arXiv 2002.05709).
    """
    return supervised_contrastive(first, second, torch.arange(len(first), device=first.device), temperature)


def supervised_contrastive(first: Tensor, second: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Bring the views of a class together, away from all others.

    Args:
        first: `(L, D)` projections of unit length.
        second: `(L, D)` of the other views.
        labels: `(L,)` int64.
        temperature: above 0.

    Returns:
        A scalar; 0 when there are no faces.

    Source:
        Khosla et al., Supervised Contrastive Learning, NeurIPS 2020 (arXiv 2004.11362).
    """
    if not len(labels):
        return first.sum()
    views, both = torch.cat([first, second]).float(), labels.repeat(2)
    itself = torch.eye(len(views), dtype=torch.bool, device=views.device)
    alike = (products(views, views) / temperature).masked_fill(itself, -torch.inf)
    mates = (both[:, None] == both) & ~itself
    log_shares = alike - alike.logsumexp(dim=1, keepdim=True)
    return -(log_shares.masked_fill(~mates, 0).sum(dim=1) / mates.sum(dim=1)).mean()
