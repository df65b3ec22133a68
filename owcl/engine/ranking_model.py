"""The trained ranking model: what it says of faces, and how it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from owcl.faces.views import to_float
from owcl.learners.component_order import decoded_sequences
from owcl.learners.local_contrast import (
    Cuts,
    cuts_tried,
    forgery_probability,
    largest_contrast,
    pairwise_similarity,
    sorted_pairs,
    unlike_anchors,
)
from owcl.learners.ranking import Recipe
from owcl.models.backbones import build_backbone
from owcl.models.checkpoint import load_weights, read_tensors, write_tensors
from owcl.models.localiser import Localisation, Localiser

BATCH = 64

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Located:
    """What a ranking model found in N faces."""

    gaps: NDArray[np.float64]
    """`(N,)` how far the pairs of patches fall apart; higher is more forged."""
    probabilities: NDArray[np.float64]
    """`(N,)` of being forged."""
    rows: NDArray[np.int64]
    """`(N, L)` edited components in order, numbers from 1, then zeros."""
    heat: NDArray[np.float32]
    """`(N, H, W)` in [0, 1]: how much a place was edited."""


@dataclass(frozen=True)
class RankingModel:
    """A trained network, how it was trained, and what was calibrated on validation faces."""

    network: Localiser
    """In evaluation mode."""
    components: tuple[str, ...]
    """Names of the labels from 1 on."""
    cuts: Cuts = Recipe.cuts
    """Those that it was trained with."""
    temperature: float = Recipe.temperature
    """Of the probability of being forged; the one that it was trained with."""
    threshold: float = 0.5
    """Probability from which on a face counts as forged."""
    heat_threshold: float = 0.5
    """Heat from which on a place counts as edited."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            BadInput: if a file is missing or damaged.
        """
        tensors, description = read_tensors(path)
        network = Localiser(build_backbone(description["backbone"]), len(description["components"]))
        load_weights(network, tensors, path)
        return cls(
            network.eval(),
            tuple(description["components"]),
            # Not written down by earlier versions, which knew no other recipe.
            description.get("cuts", Recipe.cuts),
            description.get("temperature", Recipe.temperature),
            description["threshold"],
            description["heat_threshold"],
        )

    def save(self, path: Path, backbone: str) -> None:
        """Write weights, and beside them what else belongs to the model."""
        description = {
            "backbone": backbone,
            "components": list(self.components),
            "cuts": self.cuts,
            "temperature": self.temperature,
            "threshold": self.threshold,
            "heat_threshold": self.heat_threshold,
        }
        tensors = {name: tensor.cpu().contiguous() for name, tensor in self.network.state_dict().items()}
        write_tensors(path, tensors, description)

    def named(self, row: NDArray[np.int64]) -> tuple[str, ...]:
        """Return the names of a row's components, in order."""
        return tuple(self.components[label - 1] for label in row.tolist() if label)

    def locate(self, images: Images) -> Located:
        """Look at `(N, 3, H, W)` faces."""
        parts = [self._locate(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        gaps, probabilities, rows, heat = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Located(gaps, probabilities, rows, heat)

    @torch.inference_mode()
    def _locate(self, images: Images) -> tuple[NDArray[np.generic], ...]:
        place = next(self.network.parameters()).device
        batch = to_float(torch.from_numpy(images).to(place))
        found = self.network(batch.contiguous(memory_format=torch.channels_last))
        similarity = pairwise_similarity(found.patches)
        cuts = cuts_tried(self.cuts, similarity.shape[1], place)
        contrast = largest_contrast(sorted_pairs(similarity), cuts)
        grid = found.maps.shape[-2:]
        border = _lower_border(*grid).to(place)
        unlike = unlike_anchors(similarity, border).reshape(-1, *grid)
        heat = functional.interpolate(
            _heat(found, unlike)[:, None], images.shape[-2:], mode="bilinear", align_corners=False
        )
        return (
            contrast.gap.double().cpu().numpy(),
            forgery_probability(contrast.gap, self.temperature).double().cpu().numpy(),
            decoded_sequences(found.logits).cpu().numpy(),
            heat[:, 0].float().cpu().numpy(),
        )


def _heat(found: Localisation, unlike: torch.Tensor) -> torch.Tensor:
    """Return `(B, h, w)` heat in [0, 1]: unlike the background, and a sign of an edited component."""
    signs = functional.relu(found.maps)
    scaled = signs / signs.amax(dim=(2, 3), keepdim=True).clamp_min(1e-6)
    edited = (found.logits >= 0)[:, :, None, None]
    return (unlike + (scaled * edited).amax(dim=1)) / 2


def _lower_border(height: int, width: int) -> torch.Tensor:
    """Return the patches of the lowest row, and of the lower half of both sides, where nothing is edited."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    at_side = (columns == 0) | (columns == width - 1)
    return torch.nonzero(((rows == height - 1) | (at_side & (rows >= height // 2))).flatten())[:, 0]
