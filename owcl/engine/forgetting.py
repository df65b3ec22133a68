"""`owcl forgetting`: which classes each model version still knew, by held-out faces of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from owcl.engine import memory
from owcl.engine.answer import Calibration
from owcl.engine.workspace import Report, Workspace, silent
from owcl.errors import BadInput
from owcl.evaluation.figures import forgetting_matrix
from owcl.evaluation.forgetting import falls
from owcl.types import MethodClass, ModelVersion
from storage import classes, models


@dataclass(frozen=True)
class ClassForgetting:
    """How well the held-out faces of one class were recognised by each model version."""

    entry: MethodClass
    faces: int
    """Held-out ones, on which nothing was trained."""
    accuracies: tuple[float, ...]
    """Shares of them that each version gave to the class; NaN where it did not know the class."""
    forgotten: float
    """How far the last of these is below the best before; negative where it rose, NaN for a new class."""

    @property
    def title(self) -> str:
        """Id and name of the class."""
        return f"{self.entry.id} {self.entry.name}"


@dataclass(frozen=True)
class ForgettingResult:
    """What was forgotten from version to version, of live classes."""

    versions: tuple[int, ...]
    classes: tuple[ClassForgetting, ...]

    @property
    def titles(self) -> list[str]:
        """What each version is called."""
        return [f"version {version}" for version in self.versions]

    @property
    def mean(self) -> float:
        """The mean of what was forgotten over the classes of which it can be said; NaN if of none."""
        defined = [one.forgotten for one in self.classes if not np.isnan(one.forgotten)]
        return float(np.mean(defined)) if defined else float("nan")


def forgetting(workspace: Workspace, report: Report = silent) -> ForgettingResult:
    """Let every stored model version judge the held-out faces of the classes that live today.

    What operators merged or rejected since counts for every version alike. A face that a version calls
    unknown is not recognised.

    Raises:
        BadInput: if there is no model, or no held-out face can be read.
    """
    with workspace.store.reading() as transaction:
        versions = models.everything(transaction)
        live = {entry.id: entry for entry in classes.live(transaction)}
        face_ids, class_ids = memory.held_out_faces(transaction)
    if not versions:
        raise BadInput(
            f"{workspace.root}: there is no trained model yet. Train one with `owcl train FOLDER`, where "
            "FOLDER/<method>/ holds each method's faces."
        )
    held_out = memory.calibration(face_ids, class_ids, *workspace.pixels(face_ids))
    if not len(held_out.class_ids):
        raise BadInput(
            f"{workspace.root}: no held-out face of any class can be read. The images that were trained on "
            "are expected where they were. Put them back."
        )
    accuracies = []
    for done, version in enumerate(versions, start=1):
        accuracies.append(_recognised(workspace, version, held_out, list(live)))
        report("asking model versions", done, len(versions))
    table = np.array(accuracies)
    return ForgettingResult(
        tuple(version.id for version in versions),
        tuple(
            ClassForgetting(entry, int((held_out.class_ids == entry.id).sum()), tuple(column), fall)
            for entry, column, fall in zip(live.values(), table.T.tolist(), falls(table), strict=True)
        ),
    )


def drawn(found: ForgettingResult) -> str:
    """Draw the shares as SVG: versions by classes."""
    rows = list(zip(*(one.accuracies for one in found.classes), strict=True))
    return forgetting_matrix(rows, found.titles, [one.title for one in found.classes])


def _recognised(
    workspace: Workspace, version: ModelVersion, held_out: Calibration, class_ids: list[int]
) -> NDArray[np.float64]:
    """Return the `(C,)` shares of faces that a version gives to their class; NaN for a class it lacks."""
    answer = workspace.answer(version)
    judged = answer.attribute(answer.embed(np.arange(len(held_out.class_ids)), held_out.images)).class_ids
    known = set(answer.class_ids.tolist())
    shares = np.full(len(class_ids), np.nan)
    for column, class_id in enumerate(class_ids):
        faces = held_out.class_ids == class_id
        if class_id in known and faces.any():
            shares[column] = (judged[faces] == class_id).mean()
    return shares
