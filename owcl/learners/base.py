"""What a learner is: it says which faces make a batch and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from owcl.models.network import Network

UNLABELLED = -1


@dataclass(frozen=True)
class Batch:
    """Faces of one step."""

    images: Tensor
    """`(B, 3, H, W)` uint8."""
    labels: Tensor
    """`(B,)` int64 outputs of the head; `UNLABELLED` where nobody said."""
    progress: float = 0.0
    """Share of the steps that are done, in [0, 1)."""


class Learner(Protocol):
    """A module that learns from labelled and unlabelled faces; the strategy does all the rest."""

    @property
    def network(self) -> nn.Module:
        """What learns, with an output for every class."""
        ...

    def batches(self, labels: NDArray[np.int64], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yield without end the `(B,)` row numbers of each batch, given the `(N,)` labels of all faces."""
        ...

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return named scalars, already weighted; the strategy minimises their sum."""
        ...

    def cpu(self) -> Any:
        """Move to the processor, as every module can."""
        ...


class Taught(nn.Module):
    """A network that learns beside the last accepted model.

    Args:
        network: what learns.
        rng: draws what the learner leaves to chance.
        teacher: is not changed; None where there is none.
    """

    def __init__(self, network: Network, rng: torch.Generator, teacher: Network | None) -> None:
        super().__init__()
        self.network = network
        self.rng = rng
        # In a list, so that it is no submodule: neither trained, nor put into training mode.
        self._teacher = [] if teacher is None else [teacher.eval()]

    @property
    def teacher(self) -> Network:
        """The teacher, on the device of the network; a list does not move with it."""
        return self._teacher[0].to(next(self.network.parameters()).device)
