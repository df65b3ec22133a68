"""Which faces stand out from the known ones: the pool in which discovery looks for new methods."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from owcl.engine import memory
from owcl.engine.answer import Answer, Calibration
from owcl.engine.learning import device, step_progress
from owcl.engine.workspace import Report, Workspace
from owcl.learners.arrivals import arrival_scores
from owcl.learners.strategy import TrainingPlan
from owcl.memory.replay import Exemplars
from owcl.models.network import with_outputs
from owcl.models.randomness import torch_randomness
from owcl.novelty.calibration import conformal_p_values, select_arrivals


@dataclass(frozen=True)
class Pool:
    """Faces of no known class, and known ones that nothing was trained on."""

    face_ids: NDArray[np.int64]
    """`(M,)`."""
    images: NDArray[np.uint8]
    """`(M, 3, H, W)`."""
    p_values: NDArray[np.float64]
    """`(M,)`; small means that a known face would hardly look so much like an arrival."""
    held_out: Calibration
    """Of the classes that the model has learned; none where the candidates were too few to look at."""


def pool_of(
    workspace: Workspace,
    answer: Answer,
    known: Exemplars,
    learned: NDArray[np.int64],
    candidates: NDArray[np.int64],
    waiting: NDArray[np.int64],
    rng: np.random.Generator,
    report: Report,
) -> Pool:
    """Return the candidates that stand out from the known, and those that did so before and wait.

    There are none where they are too few to make a class.

    Args:
        workspace: whose faces they are.
        answer: the model that answers; the arrival classifiers begin with its network.
        known: remembered faces.
        learned: ids of the classes that the model has learned and remembers.
        candidates: ids of faces that belong to no class.
        waiting: ids of those that stood out before and wait.
        rng: draws folds, batches and views.
        report: told of progress.
    """
    settings = workspace.configuration.novelty
    face_ids, images = workspace.pixels(candidates)
    if len(face_ids) < settings.smallest_class:
        return Pool(face_ids[:0], images[:0], np.empty(0), Calibration(images[:0], face_ids[:0]))
    held_out = _held_out(workspace, learned)
    p_values = _arrival_p_values(workspace, answer, known, images, held_out.images, rng, report)
    chosen = select_arrivals(p_values, settings.false_discovery_rate).chosen | np.isin(face_ids, waiting)
    return Pool(face_ids[chosen], images[chosen], p_values[chosen], held_out)


def _arrival_p_values(
    workspace: Workspace,
    answer: Answer,
    known: Exemplars,
    images: NDArray[np.uint8],
    calibration: NDArray[np.uint8],
    rng: np.random.Generator,
    report: Report,
) -> NDArray[np.float64]:
    settings = workspace.configuration.training
    registered = np.unique(known.class_ids)
    torch_rng = torch_randomness(rng)
    found = arrival_scores(
        with_outputs(answer.network, answer.outputs, registered.tolist(), torch_rng),
        replace(known, class_ids=np.searchsorted(registered, known.class_ids)),
        images,
        calibration,
        TrainingPlan(settings.arrival_steps, settings.learning_rate / 2),
        rng,
        device(workspace),
        step_progress(report, "telling arrivals from the known"),
    )
    p_values = np.empty(len(images))
    for fold, on_calibration in enumerate(found.calibration):
        rows = found.folds == fold
        p_values[rows] = conformal_p_values(on_calibration, found.scores[rows])
    return p_values


def _held_out(workspace: Workspace, learned: NDArray[np.int64]) -> Calibration:
    """Return held-out faces of learned classes; those of others look like arrivals and would hide them."""
    with workspace.store.reading() as transaction:
        face_ids, class_ids = memory.held_out_faces(transaction)
    rows = np.isin(class_ids, learned)
    face_ids, class_ids = face_ids[rows], class_ids[rows]
    return memory.calibration(face_ids, class_ids, *workspace.pixels(face_ids))
