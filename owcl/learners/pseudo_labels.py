"""Confidence-based soft pseudo-labels for unlabelled images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def gumbel_noise(like: Tensor, rng: torch.Generator) -> Tensor:
    """Return independent Gumbel(0, 1) noise in float32, of the shape and on the device of `like`.

    Args:
        like: any tensor.
        rng: of any device; a learner's is on the CPU wherever its network is.
    """
    # Minus the logarithm of a unit exponential is Gumbel; one logarithm fewer than from uniform noise.
    exponential = torch.empty(like.shape, device=rng.device).exponential_(generator=rng)
    return -exponential.clamp_min(torch.finfo(torch.float32).tiny).log().to(like.device)


def soft_pseudo_labels(logits: Tensor, gumbel: Tensor, temperature: float = 1.0) -> Tensor:
    """Return `(B, C)` probabilities near the prediction, with the likeliest class drawn at random.

    The likeliest class of a row is distributed as the prediction itself, whatever the temperature; the
    row is softer than the prediction at temperature 1. No gradient flows.

    Args:
        logits: `(B, C)`.
        gumbel: `(B, C)` independent Gumbel(0, 1) noise.
        temperature: above 0; lower is harder.
    """
    return ((logits.detach().float() + gumbel) / temperature).softmax(dim=1)


def csp_loss(logits: Tensor, votes: Tensor, gumbel: Tensor, conf_grad: bool = False) -> Tensor:
    """Cross-entropy with soft pseudo-labels, weighted by the confidence in the class drawn.

    Only images with a vote contribute, yet the mean is over all: fewer votes, weaker term.

    Args:
        logits: `(U, C)` of the unlabelled images.
        votes: `(U,)` bool.
        gumbel: `(U, C)` independent Gumbel(0, 1) noise.
        conf_grad: let the gradient flow through the confidence too, as the released code does. It pushes
            the drawn class down and may turn the sign of the update; for reproduction only.

    Returns:
        A scalar; 0 when there are no images.

    Source:
        Contrastive Pseudo Learning for Open-World DeepFake Attribution, ICCV 2023 (arXiv 2309.11132).
    """
    log_probabilities = functional.log_softmax(logits.float(), dim=1)
    targets = soft_pseudo_labels(logits, gumbel)
    drawn = targets.argmax(dim=1, keepdim=True)
    confidence = log_probabilities.gather(1, drawn).squeeze(1).exp()
    if not conf_grad:
        confidence = confidence.detach()
    cross_entropy = -(targets * log_probabilities).sum(dim=1)
    return (votes * confidence * cross_entropy).sum() / max(len(logits), 1)
