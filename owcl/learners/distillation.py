"""Losses that hold a learner to what an earlier version of it said."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from owcl.errors import BadInput
from owcl.models.network import Network


def lwf_loss(logits: Tensor, old_logits: Tensor, temperature: float = 2.0) -> Tensor:
    """Divergence of the present from the earlier prediction, on the earlier outputs only.

    `T^2 KL(softmax(old / T) || softmax(new / T))`, mean over the batch.

    Args:
        logits: `(B, C)`; the earlier outputs come first.
        old_logits: `(B, C_old)` with `C_old <= C`.
        temperature: T, above 0; higher listens more to the unlikely classes.

    Raises:
        BadInput: if the head has fewer outputs than it had.

    Source:
        Li and Hoiem, Learning without Forgetting, 2016 (arXiv 1606.09282).
    """
    _check_width("learning without forgetting", logits, old_logits.shape[1])
    new = functional.log_softmax(logits[:, : old_logits.shape[1]].float() / temperature, dim=1)
    old = functional.log_softmax(old_logits.detach().float() / temperature, dim=1)
    return temperature**2 * functional.kl_div(new, old, reduction="batchmean", log_target=True)


def feature_distillation(features: Tensor, old_features: Tensor) -> Tensor:
    """Return the mean squared distance between `(B, D)` features and what they were; 0 of no faces."""
    squared = (features.float() - old_features.detach().float()).square()
    return squared.sum() / max(len(features), 1)


def teacher_distillation(teacher: Network, images: Tensor, pooled: Tensor, labels: Tensor) -> Tensor:
    """Return the mean squared distance to a teacher's global features, of faces of the teacher's own classes.

    All features have unit length. Where the teacher puts a face of a class that it never learned is among
    the classes that it knows: held there, the new class would not come apart from them.

    Args:
        teacher: in evaluation mode; its outputs are the first ones of the learner's head.
        images: `(B, 3, H, W)` float.
        pooled: `(B, F)` global features of the same images.
        labels: `(B,)` int64 outputs; below 0 where nobody said.

    Returns:
        A scalar in [0, 4]; 0 where no face is of such a class.
    """
    own = (labels >= 0) & (labels < teacher.num_classes)
    with torch.no_grad():
        old = teacher(images[own]).pooled
    directions = [functional.normalize(features.float(), dim=1) for features in (pooled[own], old)]
    return feature_distillation(*directions)


def stored_logits_error(logits: Tensor, stored: Tensor, widths: Tensor) -> Tensor:
    """Mean squared difference to logits stored when the head had fewer outputs.

    Args:
        logits: `(B, C)`.
        stored: `(B, C_stored)` with `C_stored <= C`; a row counts up to its width, what follows is ignored.
        widths: `(B,)` int64, outputs that the head had when the row was stored.

    Raises:
        BadInput: if the head has fewer outputs than it had.
    """
    _check_width("stored logits", logits, stored.shape[1])
    outputs = torch.arange(stored.shape[1], device=stored.device)
    counts = outputs < widths[:, None]
    # Ignored entries may be anything, NaN too, so they are replaced before the arithmetic.
    difference = torch.where(counts, logits[:, : stored.shape[1]].float() - stored.float(), 0.0)
    return difference.square().sum() / counts.sum().clamp_min(1)


def der_plus_plus(
    logits: Tensor, labels: Tensor, stored: Tensor, widths: Tensor, weights: tuple[float, float] = (0.3, 0.5)
) -> Tensor:
    """Replay loss: stay near the stored logits and name the stored classes.

    Args:
        logits: `(B, C)` of the faces of the memory.
        labels: `(B,)` int64 in `[0, C)`.
        stored: `(B, C_stored)`, see `stored_logits_error`.
        widths: `(B,)` int64.
        weights: of the stored logits and of the cross-entropy.

    Source:
        Buzzega, Boschini, Porrello, Abati and Calderara, Dark Experience for General Continual
        Learning, NeurIPS 2020 (arXiv 2004.07211).
    """
    error = stored_logits_error(logits, stored, widths)
    return weights[0] * error + weights[1] * functional.cross_entropy(logits.float(), labels)


def _check_width(where: str, logits: Tensor, old_width: int) -> None:
    if logits.shape[1] < old_width:
        raise BadInput(
            f"{where}: the head has {logits.shape[1]} outputs, but had {old_width}. "
            "A head only grows. Distil from the version that this one came from."
        )
