"""`owcl attribute`: who made these faces? Nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from owcl.engine.localise import described, draw, ranking_model
from owcl.engine.ranking_model import Located, RankingModel
from owcl.engine.workspace import Report, Workspace, silent
from owcl.errors import NotFound
from owcl.faces.load import LoadedFace, batched, stacked
from owcl.faces.sources import expand
from owcl.models.embed import BATCH
from owcl.types import UNKNOWN, Attributions, MethodClass, Quarantined
from storage import classes


@dataclass(frozen=True)
class AttributedFace:
    """A face and who made it."""

    source: str
    class_id: int
    """`UNKNOWN` where no known class fits."""
    name: str
    family: str | None
    probability: float
    p_value: float
    forged: float | None = None
    """Probability of being forged, where a ranking model was trained."""
    components: tuple[str, ...] | None = None
    """Edited ones, in order, where a ranking model was trained."""


def attribute(
    workspace: Workspace, inputs: Sequence[str], report: Report = silent, heat_maps: Path | None = None
) -> tuple[list[AttributedFace], list[Quarantined]]:
    """Attribute images without taking them in.

    Args:
        workspace: with a model.
        inputs: as for `ingest`.
        report: told of progress.
        heat_maps: a folder for pictures of where each face was edited, where a ranking model was trained.

    Raises:
        BadInput: if an input does not exist, or there is no model.
        NotFound: if heat maps are wanted and no ranking model was trained.
    """
    answer, localiser = workspace.answer(), ranking_model(workspace)
    if heat_maps is not None and localiser is None:
        raise NotFound(
            f"{workspace.root}: heat maps need a ranking model. `owcl train --task ranking DIR` makes one."
        )
    with workspace.store.reading() as transaction:
        entries = {entry.id: entry for entry in classes.live(transaction)}
    attributed: list[AttributedFace] = []
    bad: list[Quarantined] = []
    for batch in batched(workspace.loaded(expand(inputs)), BATCH):
        good = [face for face in batch if isinstance(face, LoadedFace)]
        bad += [face for face in batch if isinstance(face, Quarantined)]
        if good:
            images = stacked(good, workspace.configuration.faces.image_size)
            judged = answer.attribute(answer.embed(np.arange(len(good)), images))
            rows = in_words(judged, good, entries)
            if localiser is not None:
                rows = _localised(localiser, rows, good, images, heat_maps)
            attributed += rows
        report("attributing faces", len(attributed) + len(bad), None)
    return attributed, bad


def in_words(
    judged: Attributions, faces: Sequence[LoadedFace], entries: Mapping[int, MethodClass]
) -> list[AttributedFace]:
    """Return attributions of faces with the names of live classes."""
    known = [entries.get(class_id) for class_id in judged.class_ids.tolist()]
    return [
        AttributedFace(
            face.source,
            UNKNOWN if entry is None else entry.id,
            "unknown" if entry is None else entry.name,
            None if entry is None else entry.family,
            float(judged.probabilities[row]),
            float(judged.p_values[row]),
        )
        for row, (face, entry) in enumerate(zip(faces, known, strict=True))
    ]


def _localised(
    model: RankingModel,
    rows: list[AttributedFace],
    faces: list[LoadedFace],
    images: NDArray[np.uint8],
    heat_maps: Path | None,
) -> list[AttributedFace]:
    """Say of every face, too, whether it was edited, and draw where."""
    found = model.locate(images)
    if heat_maps is not None:
        for face, heat in zip(faces, found.heat, strict=True):
            draw(face.pixels, heat, heat_maps / f"{Path(face.source).stem}-{face.sha256[:8]}.png")
    return with_edits(model, rows, found)


def with_edits(model: RankingModel, rows: Sequence[AttributedFace], found: Located) -> list[AttributedFace]:
    """Return attributed faces with what a ranking model found of their edits."""
    said = described(model, [row.source for row in rows], found)
    return [
        replace(row, forged=what.probability, components=what.components)
        for row, what in zip(rows, said, strict=True)
    ]
