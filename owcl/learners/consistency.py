"""Losses between two views of a face, and how confident a view must be to teach."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Confidence = Literal["raw", "sharpened"]
SMALLEST_RATIO = 0.1
"""Of the novel group's confidence to the known group's; keeps a threshold from vanishing."""


def epoch_of(progress: float, epochs: int) -> int:
    """Return in which of `epochs` equal parts of the training a step is, from 0.

    A step at a border begins the next part, also where division has put it a hair before.

    Args:
        progress: share of the steps that are done, in [0, 1).
        epochs: parts.

    Example:
        >>> int(87 / 150 * 50), epoch_of(87 / 150, 50)
        (28, 29)
    """
    return int(progress * epochs + 1e-9)


def self_calibration(confidence: Tensor, progress: float) -> Tensor:
    """Return `(B,)` weights that go over from confident faces to unconfident ones.

    `(1 - progress) rho + progress (1 - rho)`; half of it for everybody half-way.

    Args:
        confidence: `(B,)` rho in [0, 1].
        progress: in [0, 1].
    """
    return (1 - progress) * confidence + progress * (1 - confidence)


def consistency_loss(
    weak: Tensor,
    strong: Tensor,
    progress: float,
    confidence: Confidence = "raw",
    temperature: float = 0.1,
) -> Tensor:
    """Cross-entropy of the strong view with the sharpened prediction on the weak one, weighted by confidence.

    No gradient reaches the weak view.

    Args:
        weak: `(B, C)` logits.
        strong: `(B, C)` logits of the same faces.
        progress: share of the training that is done.
        confidence: of the sharpened teacher, as the released code has it and which is nearly 1 for all,
            or of the plain prediction.
        temperature: of the teacher.

    Returns:
        A scalar; 0 when there are no faces.

    Source:
        CAL, confidence-aware consistency regularisation (CCR), Eq. (3).
    """
    teacher = (weak.detach().float() / temperature).softmax(dim=1)
    sure = teacher if confidence == "sharpened" else weak.detach().float().softmax(dim=1)
    weights = self_calibration(sure.amax(dim=1), progress)
    cross_entropy = -(teacher * functional.log_softmax(strong.float(), dim=1)).sum(dim=1)
    return (weights * cross_entropy).sum() / max(len(weak), 1)


@torch.no_grad()
def agreed_confidences(weak: Tensor, strong: Tensor, known: Tensor) -> Tensor:
    """Sum up how confident predictions are on which both views agree, by group.

    Args:
        weak: `(B, C)` logits.
        strong: `(B, C)` logits of the same faces.
        known: `(C,)` bool, outputs of the known group.

    Returns:
        `(2, 2)`: sum and count of the greatest probabilities, for the known group and the novel one.
    """
    sure, best = weak.float().softmax(dim=1).max(dim=1)
    agreed = best == strong.argmax(dim=1)
    groups = torch.stack([agreed & known[best], agreed & ~known[best]]).float()
    # Sums in place of a product with a vector, which mixed precision would round.
    return torch.stack([(groups * sure).sum(dim=1), groups.sum(dim=1)], dim=1)


def novel_threshold(tally: Tensor, threshold: float, largest_ratio: float = 1.0) -> float | None:
    """Lower the threshold of the novel group by as much as it is less confident than the known one.

    Args:
        tally: `(2, 2)` of `agreed_confidences`, summed over an epoch.
        threshold: of the known group.
        largest_ratio: the released code allows 10, with which a threshold may exceed 1.

    Returns:
        None if one of the groups is empty.

    Source:
        CAL, asymmetric confidence reinforcement (ACR).
    """
    if not bool(tally[:, 1].all()):
        return None
    known, novel = tally[:, 0] / tally[:, 1]
    return threshold * float((novel / known).clamp(SMALLEST_RATIO, largest_ratio))


def reinforcement_loss(
    teacher: Tensor, student: Tensor, known: Tensor, thresholds: tuple[float, float]
) -> Tensor:
    """Cross-entropy with the teacher's answer where it is confident enough for its group.

    Args:
        teacher: `(U, C)` logits of unlabelled faces.
        student: `(U, C)` logits that learn; the released code takes the teacher itself.
        known: `(C,)` bool, outputs of the known group.
        thresholds: of the known and of the novel group.

    Returns:
        Mean over the faces selected; 0 if there are none.

    Source:
        CAL, asymmetric confidence reinforcement (ACR).
    """
    sure, best = teacher.detach().float().softmax(dim=1).max(dim=1)
    selected = sure >= torch.where(known[best], thresholds[0], thresholds[1])
    cross_entropy = functional.cross_entropy(student.float(), best, reduction="none")
    return (selected * cross_entropy).sum() / selected.sum().clamp_min(1)
