"""`owcl localise`: was a face edited, where, and in which order? Nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from owcl.engine.ranking_model import Located, RankingModel
from owcl.engine.workspace import Workspace
from owcl.errors import BadInput, NotFound
from owcl.faces.load import LoadedFace, stacked
from storage import models


@dataclass(frozen=True)
class LocalisedFace:
    """A face, and what was done to it."""

    source: str
    probability: float
    """Of being forged."""
    forged: bool
    """Whether the probability reaches the threshold that was calibrated."""
    components: tuple[str, ...]
    """Edited ones, in order; none where the face counts as genuine, or nobody knows which."""
    edited_share: float
    """Share of the picture whose heat reaches its threshold; 0 where the face counts as genuine."""


def ranking_model(workspace: Workspace) -> RankingModel | None:
    """Return the ranking model that answers today, if one was trained."""
    with workspace.store.reading() as transaction:
        version = models.answering(transaction, "ranking")
    return None if version is None else RankingModel.load(workspace.root / version.weights)


def localise(workspace: Workspace, source: str, picture: Path | None = None) -> LocalisedFace:
    """Say whether an image was edited, where and in which order.

    Args:
        workspace: with a ranking model.
        source: of the image.
        picture: where to draw the face beside its heat map, as PNG.

    Raises:
        NotFound: if no ranking model was trained.
        BadInput: if the image cannot be read.
    """
    model = ranking_model(workspace)
    if model is None:
        raise NotFound(
            f"{workspace.root}: no ranking model was trained yet. `owcl train --task ranking DIR` makes one; "
            "`owcl sequences DIR` makes faces to train it on."
        )
    (face,) = workspace.loaded([source])
    if not isinstance(face, LoadedFace):
        raise BadInput(f"{source}: {face.reason}. An image of a face is expected.")
    found = model.locate(stacked([face], len(face.pixels)))
    if picture is not None:
        draw(face.pixels, found.heat[0], picture)
    return described(model, [source], found)[0]


def described(model: RankingModel, sources: Sequence[str], found: Located) -> list[LocalisedFace]:
    """Put what was found into words; a genuine face has no edited components, whatever their logits say."""
    forged = found.probabilities >= model.threshold
    share = (found.heat >= model.heat_threshold).mean(axis=(1, 2)) * forged
    return [
        LocalisedFace(
            source,
            float(found.probabilities[index]),
            bool(forged[index]),
            model.named(found.rows[index]) if forged[index] else (),
            float(share[index]),
        )
        for index, source in enumerate(sources)
    ]


def draw(pixels: NDArray[np.uint8], heat: NDArray[np.float32], picture: Path) -> None:
    """Write an `(H, W, 3)` face and the same under its `(H, W)` heat, side by side, as PNG."""
    both = np.concatenate([pixels, under_heat(pixels, heat)], axis=1)
    scale = max(1, 512 // len(pixels))
    image = Image.fromarray(both)
    picture.parent.mkdir(parents=True, exist_ok=True)
    image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST).save(picture, "PNG")


def under_heat(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return an `(H, W, 3)` face with the colours of its `(H, W)` heat over it."""
    from matplotlib import colormaps

    colours = colormaps["inferno"](heat)[:, :, :3] * 255
    # Cool places stay as they are, so that one sees what is under the hot ones.
    opacity = np.clip(heat, 0, 1)[:, :, None] * 0.75
    painted: NDArray[np.uint8] = (pixels * (1 - opacity) + colours * opacity).round().astype(np.uint8)
    return painted
