"""`owcl attribute`: who made these faces? Nothing is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from owcl.engine.workspace import Report, Workspace, silent
from owcl.faces.load import LoadedFace, load_many
from owcl.faces.sources import expand
from owcl.models.embed import BATCH
from owcl.types import UNKNOWN, Quarantined
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


def attribute(
    workspace: Workspace, inputs: Sequence[str], report: Report = silent
) -> tuple[list[AttributedFace], list[Quarantined]]:
    """Attribute images without taking them in.

    Raises:
        BadInput: if an input does not exist, or there is no model.
    """
    answer = workspace.answer()
    with workspace.store.reading() as transaction:
        entries = {entry.id: entry for entry in classes.live(transaction)}
    attributed: list[AttributedFace] = []
    bad: list[Quarantined] = []
    for batch in _batches(_loaded(workspace, expand(inputs))):
        good = [face for face in batch if isinstance(face, LoadedFace)]
        bad += [face for face in batch if isinstance(face, Quarantined)]
        if good:
            images = np.stack([face.pixels.transpose(2, 0, 1) for face in good])
            judged = answer.attribute(answer.embed(np.arange(len(good)), images))
            for row, face in enumerate(good):
                class_id = int(judged.class_ids[row])
                entry = None if class_id == UNKNOWN else entries[class_id]
                attributed.append(
                    AttributedFace(
                        face.source,
                        class_id,
                        "unknown" if entry is None else entry.name,
                        None if entry is None else entry.family,
                        float(judged.probabilities[row]),
                        float(judged.p_values[row]),
                    )
                )
        report("attributing faces", len(attributed) + len(bad), None)
    return attributed, bad


def _loaded(workspace: Workspace, sources: Iterable[str | Quarantined]) -> Iterator[LoadedFace | Quarantined]:
    settings = workspace.configuration.faces
    detector, cache = workspace.detector()
    return load_many(sources, settings.image_size, workspace.limits(), settings.workers, detector, cache)


def _batches(faces: Iterable[LoadedFace | Quarantined]) -> Iterator[list[LoadedFace | Quarantined]]:
    iterator = iter(faces)
    while batch := list(islice(iterator, BATCH)):
        yield batch
