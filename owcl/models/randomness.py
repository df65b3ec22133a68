"""Torch's randomness, begun from ours, so that one seed decides everything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def torch_randomness(rng: np.random.Generator) -> torch.Generator:
    """Return a source of randomness of torch whose seed `rng` draws."""
    return torch.Generator().manual_seed(int(rng.integers(2**31)))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let torch's own randomness begin at a seed, and afterwards go on as if nothing had been drawn.

    Layers draw their first weights from it, and dropout what it drops.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
