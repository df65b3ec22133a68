"""A few images with all that can be said of them, for a person to look at. Nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from owcl.engine import memory
from owcl.engine.attribute import AttributedFace, in_words, with_edits
from owcl.engine.localise import ranking_model
from owcl.engine.workspace import Workspace
from owcl.faces.load import LoadedFace, stacked
from owcl.types import Quarantined
from storage import classes


@dataclass(frozen=True)
class LookedAt:
    """An image and what is thought of it."""

    face: AttributedFace
    pixels: NDArray[np.uint8]
    """`(3, S, S)`."""
    heat: NDArray[np.float32] | None
    """`(h, w)` where it was edited, if a ranking model was trained."""
    nearest: NDArray[np.int64]
    """Ids of the remembered faces that are most like it, the nearest first."""


def look(
    workspace: Workspace, sources: Sequence[str], nearest: int
) -> tuple[list[LookedAt], list[Quarantined]]:
    """Attribute images and find the remembered faces most like each.

    Args:
        workspace: with a model.
        sources: of the images.
        nearest: how many remembered faces.

    Raises:
        BadInput: if there is no model.
    """
    answer, localiser = workspace.answer(), ranking_model(workspace)
    loaded = list(workspace.loaded(sources))
    good = [face for face in loaded if isinstance(face, LoadedFace)]
    bad = [face for face in loaded if isinstance(face, Quarantined)]
    if not good:
        return [], bad
    images = stacked(good, workspace.configuration.faces.image_size)
    embedded = answer.embed(np.arange(len(good)), images)
    with workspace.store.reading() as transaction:
        entries = {entry.id: entry for entry in classes.live(transaction)}
        remembered = memory.recall(transaction)
    rows = in_words(answer.attribute(embedded), good, entries)
    heat: Sequence[NDArray[np.float32] | None] = [None] * len(good)
    if localiser is not None:
        located = localiser.locate(images)
        rows = with_edits(localiser, rows, located)
        heat = list(located.heat)
    known = answer.embed(remembered.face_ids, remembered.images)
    order = np.argsort(-(embedded.vectors @ known.vectors.T), axis=1)[:, :nearest]
    return [
        LookedAt(row, image, warm, known.face_ids[alike])
        for row, image, warm, alike in zip(rows, images, heat, order, strict=True)
    ], bad
