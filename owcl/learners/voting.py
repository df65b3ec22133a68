"""Global-local voting: which image of the batch is a class-mate, and do the perceptions agree?"""

from __future__ import annotations

import torch
from torch import Tensor


def nearest(similarity: Tensor) -> Tensor:
    """Return for each row of `(B, B)` the `(B,)` int64 column of the most similar other image.

    A batch of one has no other image: the answer is then the image itself.
    """
    return similarity.clone().fill_diagonal_(-torch.inf).argmax(dim=1)


def mutual_top1(global_similarity: Tensor, local_similarity: Tensor) -> Tensor:
    """Vote for images whose global and whose local neighbour is the same image.

    Args:
        global_similarity: `(B, B)`.
        local_similarity: `(B, B)`; row `i` is how image `i` sees the others.

    Returns:
        `(B,)` bool.

    Source:
        Contrastive Pseudo Learning for Open-World DeepFake Attribution, ICCV 2023 (arXiv 2309.11132),
        the rule that the paper describes.
    """
    return nearest(global_similarity) == nearest(local_similarity)


def official(global_similarity: Tensor, local_similarity: Tensor) -> Tensor:
    """Vote for images that see somebody at least as well as others see their global neighbour.

    The second largest value of an image's own row is compared with the second largest value of its
    neighbour's column; equal passes, and is how a pair that chooses each other usually passes.

    Args:
        global_similarity: `(B, B)`.
        local_similarity: `(B, B)`; row `i` is how image `i` sees the others.

    Returns:
        `(B,)` bool.

    Source:
        The code released with Contrastive Pseudo Learning for Open-World DeepFake Attribution,
        ICCV 2023, whose rule is not the paper's.
    """
    second = min(2, len(local_similarity))
    seeing = local_similarity.topk(second, dim=1).values[:, -1]
    seen = local_similarity.topk(second, dim=0).values[-1]
    return seeing >= seen[nearest(global_similarity)]


def multi_perception(band_votes: Tensor, scale_votes: Tensor) -> tuple[Tensor, Tensor]:
    """Join the votes of several perceptions.

    Args:
        band_votes: `(F, B)` bool, one row a frequency band.
        scale_votes: `(Q, B)` bool, one row a patch scale.

    Returns:
        Two `(B,)` bool: images for which any band or any scale votes, and images for which both do.

    Source:
        Rethinking Open-World DeepFake Attribution with Multi-perspective Sensory Learning, IJCV 2025.
    """
    bands, scales = band_votes.any(dim=0), scale_votes.any(dim=0)
    return bands | scales, bands & scales


def partners(labels: Tensor, neighbours: Tensor, votes: Tensor, noise: Tensor) -> Tensor:
    """Give every image the one that it should agree with.

    A labelled image gets a labelled image of the same class at random, itself where there is none; an
    unlabelled one its neighbour where it has a vote, else itself (which sharpens its prediction).

    Args:
        labels: `(B,)` int64, -1 where unlabelled.
        neighbours: `(B,)` int64 from `nearest`.
        votes: `(B,)` bool; read for unlabelled images only.
        noise: `(B, B)` uniform in [0, 1); the largest one among an image's class-mates wins.

    Returns:
        `(B,)` int64.
    """
    itself = torch.arange(len(labels), device=labels.device)
    mates = (labels[:, None] == labels[None, :]) & (labels >= 0)[:, None] & (itself[:, None] != itself)
    mate = noise.masked_fill(~mates, -1.0).argmax(dim=1)
    for_labelled = torch.where(mates.any(dim=1), mate, itself)
    for_unlabelled = torch.where(votes, neighbours, itself)
    return torch.where(labels >= 0, for_labelled, for_unlabelled)
