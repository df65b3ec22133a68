"""Losses on logits: labelled images, pairs, and the mean prediction of a batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SMALLEST_SHARE = 1e-8
"""Where the mean prediction vanishes, its logarithm must not."""


def margin_cross_entropy(logits: Tensor, labels: Tensor, margin: float = 0.2) -> Tensor:
    """Cross-entropy after `margin` is added to the logit of the true class.

    A positive margin makes the task easier, so that known classes do not outrun the novel ones.

    Args:
        logits: `(L, C)` of the labelled images.
        labels: `(L,)` int64 in `[0, C)`.
        margin: 0 for plain cross-entropy.

    Returns:
        A scalar; 0 when there are no images.
    """
    helped = logits.float() + margin * functional.one_hot(labels, logits.shape[1])
    return functional.cross_entropy(helped, labels, reduction="sum") / max(len(labels), 1)


def pair_loss(logits: Tensor, partners: Tensor, taking_part: Tensor | None = None) -> Tensor:
    """Mean of `-log <p_i, p_partner(i)>`: how improbable it is that a pair draws the same class.

    Gradient flows into both members. An image that is its own partner is sharpened.

    Args:
        logits: `(B, C)`.
        partners: `(B,)` int64.
        taking_part: `(B,)` bool; terms of the others count as 0, the mean is still over all `B`. All
            take part by default.

    Returns:
        A scalar, at least 0.

    Source:
        Contrastive Pseudo Learning for Open-World DeepFake Attribution, ICCV 2023 (arXiv 2309.11132);
        here through the logarithms of the probabilities, which needs no clamp.
    """
    log_probabilities = functional.log_softmax(logits.float(), dim=1)
    agreement = torch.logsumexp(log_probabilities + log_probabilities[partners], dim=1)
    if taking_part is not None:
        agreement = agreement * taking_part
    return -agreement.mean()


def mean_entropy(logits: Tensor) -> Tensor:
    """Entropy of the mean prediction of `(B, C)` logits, in `[0, log C]`; to be maximised.

    It asks a batch to use all outputs alike. The mean of the images' own entropies is another quantity.
    """
    return _entropy(_mean_prediction(logits))


def prior_divergence(logits: Tensor, prior: Tensor) -> Tensor:
    """How far the mean prediction is from what is expected: `KL(mean || prior)`, to be minimised.

    With a uniform prior it is `log C - mean_entropy`.

    Args:
        logits: `(B, C)`.
        prior: `(C,)` shares that sum to 1.
    """
    mean = _mean_prediction(logits)
    return -(mean * prior.clamp_min(SMALLEST_SHARE).log()).sum() - _entropy(mean)


def group_entropy(logits: Tensor, num_old: int) -> Tensor:
    """Entropy of the mean prediction between old and new outputs, plus that inside each group.

    To be maximised in place of `mean_entropy` once the head has many old outputs: it gives old and new
    one half each, however many outputs there are.

    Args:
        logits: `(B, C)`; the first `num_old` outputs are the old ones.
        num_old: between 0 and C.

    Returns:
        A scalar in `[0, log 2 + log num_old + log(C - num_old)]`.

    Source:
        Happy: A Debiased Learning Framework for Continual Generalized Category Discovery, NeurIPS 2024
        (arXiv 2410.06535), whose code, as here, renormalises inside the groups. There it is written
        with the other sign and minimised.
    """
    mean = _mean_prediction(logits)
    groups = mean[:num_old], mean[num_old:]
    shares = torch.stack([group.sum() for group in groups])
    old, new = (group / group.sum().clamp_min(SMALLEST_SHARE) for group in groups)
    return _entropy(shares) + _entropy(old) + _entropy(new)


def _mean_prediction(logits: Tensor) -> Tensor:
    return logits.float().softmax(dim=1).mean(dim=0)


def _entropy(shares: Tensor) -> Tensor:
    clamped = shares.clamp_min(SMALLEST_SHARE)
    return -(clamped * clamped.log()).sum()
