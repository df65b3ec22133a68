"""Images to embeddings and logits, batch by batch."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from owcl.faces.views import to_float
from owcl.models.network import Network

BATCH = 64
PART = 32
"""Faces that go through the network together on a processor: more would not fit into its cache."""


def for_inference(network: Network) -> Network:
    """Return a frozen copy that computes the same with less work.

    Where a convolution and its normalisation follow each other in a sequence, one convolution does both.
    """
    frozen = copy.deepcopy(network).eval().requires_grad_(False).to(memory_format=torch.channels_last)
    for sequence in [module for module in frozen.modules() if isinstance(module, nn.Sequential)]:
        for (place, convolution), (next_place, norm) in pairwise(list(sequence.named_children())):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(sequence, place, fuse_conv_bn_eval(convolution, norm))
                setattr(sequence, next_place, nn.Identity())
    return frozen


def embed(network: Network, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Embed faces.

    The last part is filled up to full size, because a convolution may add in another order for another
    batch size: a face's embedding then does not depend on how many came with it.

    Args:
        network: in any mode; it is put into evaluation mode.
        images: `(N, 3, H, W)`.

    Returns:
        `(N, D)` embeddings of unit length and `(N, C)` logits.
    """
    network.eval()
    device = next(network.parameters()).device
    parts = [
        _embed_batch(network, torch.from_numpy(images[start : start + BATCH]).to(device))
        for start in range(0, len(images), BATCH)
    ]
    empty = np.empty((0, network.embedding_size), np.float32), np.empty((0, network.num_classes), np.float32)
    vectors, logits = zip(*[*parts, empty], strict=True)
    return np.concatenate(vectors), np.concatenate(logits)


@torch.inference_mode()
def _embed_batch(network: Network, images: torch.Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    missing = -len(images) % PART
    filled = torch.cat([images, images[:1].expand(missing, -1, -1, -1)]) if missing else images
    step = PART if images.device.type == "cpu" else BATCH
    parts = [
        network.embed(to_float(part).contiguous(memory_format=torch.channels_last))
        for part in torch.split(filled, step)
    ]
    vectors, logits = (
        torch.cat(columns)[: len(images)].cpu().numpy() for columns in zip(*parts, strict=True)
    )
    return vectors, logits
