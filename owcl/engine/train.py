"""`owcl train`: labelled faces to the first model version."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sqlalchemy import Connection

from owcl.engine import memory
from owcl.engine.answer import Answer, Calibration, Doubt
from owcl.engine.journal import journalled
from owcl.engine.learning import learn
from owcl.engine.workspace import Report, Workspace, silent
from owcl.errors import BadInput, Conflict
from owcl.faces.load import LoadedFace, stacked
from owcl.learners.strategy import TrainingPlan
from owcl.learners.supervised import Supervised
from owcl.memory.held_out import drawn_in_groups
from owcl.memory.replay import LABELLED, Exemplars
from owcl.models.backbones import build_backbone
from owcl.models.network import Network
from owcl.models.randomness import seeded
from owcl.types import Embeddings, Quarantined
from scenarios.method_folders import groups_in, method_folders
from scenarios.streams import FaceDataset
from storage import (
    attributions,
    classes,
    embeddings,
    experiences,
    faces,
    memberships,
    models,
    quarantine,
)
from storage.names import key_of

logger = logging.getLogger(__name__)

SMALLEST_CLASS = 20
"""Labelled faces without which a method cannot be learned and calibrated."""


@dataclass(frozen=True)
class TrainResult:
    """What came of it."""

    model_version: int
    faces: int
    classes: dict[str, int]
    """Faces of each class."""
    held_out_accuracy: float
    """On the calibration faces, in [0, 1]."""
    false_alarm_rate: float
    """Share of known faces that may be called unknown."""
    quarantined: int


@dataclass(frozen=True)
class NewVersion:
    """A model version that is to answer from now on."""

    answer: Answer
    memory: Exemplars
    """All that it remembers."""
    parent: int | None
    """The version that it was trained from."""
    gate: Mapping[str, object]
    """On what evidence it answers."""


@dataclass(frozen=True)
class LabelledFace:
    """Where a labelled face is, and the video, photograph or the like that it comes from."""

    source: str
    group: str


def train(workspace: Workspace, folder: Path, report: Report = silent) -> TrainResult:
    """Learn the methods of a tree `DIR/<method>/*`, or `DIR/<method>/<video>/*`.

    Raises:
        BadInput: if the tree cannot be used.
        Conflict: if the workspace has been trained already.
    """
    labelled = {name: _labelled(path) for name, path in method_folders(folder).items()}
    return train_on(workspace, labelled, {}, report)


@journalled("train")
def train_on(
    workspace: Workspace,
    labelled: Mapping[str, Sequence[LabelledFace]],
    families: Mapping[str, str],
    report: Report = silent,
) -> TrainResult:
    """Learn labelled faces.

    Args:
        workspace: without a model yet.
        labelled: each method's faces.
        families: of methods, where they are known.
        report: told of progress.

    Raises:
        BadInput: if there is one method only, one has too few readable faces, a face is given under two, or
            a method is missing that an interrupted training took in.
        Conflict: if the workspace has been trained already.
    """
    _refuse_trained(workspace)
    _refuse_single(labelled)
    loaded, bad = _load(workspace, labelled, report)
    class_of = _register(workspace, loaded, _held_out(workspace, loaded, labelled), families, bad)
    rng = workspace.rng("train", 0)
    everything = _exemplars(workspace, loaded, class_of)
    with workspace.store.reading() as transaction:
        held_out = faces.are_held_out(transaction, everything.face_ids)
    fit, calibration_rows = everything.take(~held_out), everything.take(held_out)
    calibration = Calibration(calibration_rows.images, calibration_rows.class_ids)
    network = _trained(workspace, fit, rng, report)
    kept = memory.bounded(workspace.configuration.memory.per_class, rng, fit)
    outputs = tuple(np.unique(fit.class_ids).tolist())
    answer = Answer.fit(network, outputs, kept, calibration, frozenset(class_of.values()), doubt(workspace))
    accuracy = _accuracy(answer, calibration)
    version = store_answer(workspace, NewVersion(answer, kept, None, {"held_out_accuracy": accuracy}), 0)
    sizes = {name: sum(method == name for method, _ in loaded) for name in labelled}
    if answer.kept_rate > answer.false_alarm_rate:
        logger.warning("%s", _too_few_to_calibrate(answer))
    return TrainResult(version, len(loaded), sizes, accuracy, answer.kept_rate, len(bad))


def doubt(workspace: Workspace) -> Doubt:
    """Return the rates that answers keep and the score that they go by, as configured."""
    settings = workspace.configuration.novelty
    return Doubt(settings.false_alarm_rate, settings.takeover_rate, settings.score)


def _too_few_to_calibrate(answer: Answer) -> str:
    held_out = answer.doubts.size
    return (
        f"{held_out} known faces were held out, too few to keep false alarms at "
        f"{answer.false_alarm_rate:.1%}. What is more unusual than all of them is called unknown, which "
        f"1 in {held_out + 1} known faces is. With {math.ceil(1 / answer.false_alarm_rate) - 1} held out it "
        "would be as asked"
    )


def _refuse_trained(workspace: Workspace) -> None:
    with workspace.store.reading() as transaction:
        version = models.answering(transaction)
    if version is not None:
        raise Conflict(
            f"{workspace.root}: the labelled faces were learned already, in model version {version.id}. A "
            "workspace has one labelled start. Ingest what came since, or make another workspace."
        )


def _refuse_single(labelled: Mapping[str, Sequence[LabelledFace]]) -> None:
    if len(labelled) < 2:
        raise BadInput(
            f"{', '.join(labelled)}: the only method, which there is nothing to tell from. At least two are "
            "expected, such as real and one forgery. Add a folder of another; or, if this folder holds those "
            "of the methods, name it itself."
        )


def _labelled(folder: Path) -> list[LabelledFace]:
    from owcl.faces.sources import expand

    sources = [source for source in expand([folder]) if isinstance(source, str)]
    return list(map(LabelledFace, sources, groups_in(folder, sources)))


def _load(
    workspace: Workspace, labelled: Mapping[str, Sequence[LabelledFace]], report: Report
) -> tuple[list[tuple[str, LoadedFace]], list[Quarantined]]:
    pairs = [(method, face.source) for method, faces_of in labelled.items() for face in faces_of]
    results = workspace.loaded(source for _, source in pairs)
    loaded: dict[str, tuple[str, LoadedFace]] = {}
    bad = []
    for done, ((method, source), result) in enumerate(zip(pairs, results, strict=True), start=1):
        report("reading labelled faces", done, len(pairs))
        if isinstance(result, Quarantined):
            bad.append(result)
        elif loaded.setdefault(result.sha256, (method, result))[0] != method:
            other, first = loaded[result.sha256]
            raise BadInput(
                f"{source}: the same image is given as {method} here and as {other} in {first.source}. One "
                "method for each face is expected. Remove one of the two."
            )
    faces_of = [method for method, _ in loaded.values()]
    for method in labelled:
        if faces_of.count(method) < SMALLEST_CLASS:
            raise BadInput(
                f"{method}: {faces_of.count(method)} readable faces. At least {SMALLEST_CLASS} are needed to "
                "learn a method and to calibrate on it. Add faces or leave the method out."
            )
    return list(loaded.values()), bad


def _held_out(
    workspace: Workspace,
    loaded: Sequence[tuple[str, LoadedFace]],
    labelled: Mapping[str, Sequence[LabelledFace]],
) -> set[str]:
    """Return the contents of the faces that are for calibration."""
    share = workspace.configuration.memory.calibration_share
    chosen: set[str] = set()
    for method, faces_of in labelled.items():
        group_of = {face.source: face.group for face in faces_of}
        mine = [face for name, face in loaded if name == method]
        contents = [face.sha256 for face in mine]
        drawn = drawn_in_groups([group_of[face.source] for face in mine], contents, share)
        chosen.update(itertools.compress(contents, drawn))
    return chosen


def _register(
    workspace: Workspace,
    loaded: Sequence[tuple[str, LoadedFace]],
    held_out: Set[str],
    families: Mapping[str, str],
    bad: Sequence[Quarantined],
) -> dict[str, int]:
    """Write faces and known classes in one transaction; done once, it does nothing again."""
    class_of: dict[str, int] = {}
    with workspace.store.transaction() as transaction:
        experiences.begin(transaction, 0, labelled=True)
        methods = list(dict.fromkeys(method for method, _ in loaded))
        present = {key_of(entry.name): entry.id for entry in classes.live(transaction)}
        _refuse_absent(transaction, present, methods)
        quarantine.add_many(transaction, bad, 0)
        for method in methods:
            class_of[method] = present.get(key_of(method)) or classes.create(
                transaction, method, "known", families.get(method), classes.Birth(0)
            )
            new = [
                faces.NewFace(
                    face.sha256, face.source, face.size, 0, face.face_found, face.sha256 in held_out
                )
                for name, face in loaded
                if name == method
            ]
            face_ids = faces.add_many(transaction, new)
            memberships.assign(transaction, face_ids, class_of[method], memberships.Grounds("label"))
    return class_of


def _refuse_absent(transaction: Connection, present: Mapping[str, int], methods: Sequence[str]) -> None:
    """Refuse to leave a class behind of which nothing is learned."""
    absent = sorted(present.keys() - set(map(key_of, methods)))
    if absent:
        entry = classes.get(transaction, present[absent[0]])
        raise BadInput(
            f"{entry.name}: a method of a training that was interrupted, and not of this one. Put its folder "
            f"back, or leave it out for good with `owcl classes reject {entry.id}`."
        )


def _exemplars(
    workspace: Workspace, loaded: Sequence[tuple[str, LoadedFace]], class_of: Mapping[str, int]
) -> Exemplars:
    with workspace.store.reading() as transaction:
        ids = faces.ids_by_sha256(transaction, [face.sha256 for _, face in loaded])
    return Exemplars(
        np.array([ids[face.sha256] for _, face in loaded], np.int64),
        stacked([face for _, face in loaded], workspace.configuration.faces.image_size),
        np.array([class_of[method] for method, _ in loaded], np.int64),
        np.ones(len(loaded), np.float32),
        np.full(len(loaded), LABELLED, np.int8),
    )


def _trained(workspace: Workspace, fit: Exemplars, rng: np.random.Generator, report: Report) -> Network:
    settings = workspace.configuration
    class_ids = np.unique(fit.class_ids)
    seed = int(rng.integers(2**31))
    with seeded(seed):
        backbone = build_backbone(settings.model.backbone, settings.model.weights or None)
        network = Network(backbone, len(class_ids))
        learner = Supervised(
            network,
            torch.Generator().manual_seed(seed),
            batch_size=64,
            pretext=settings.training.pretext_faces,
        )
    plan = TrainingPlan(settings.training.first_steps, settings.training.learning_rate)
    labels: NDArray[np.int64] = np.searchsorted(class_ids, fit.class_ids)
    dataset = FaceDataset(torch.from_numpy(fit.images), labels, fit.face_ids)
    learn(workspace, learner, plan, rng, dataset, report, "learning labelled faces")
    return network


def _accuracy(answer: Answer, calibration: Calibration) -> float:
    embedded = answer.embed(np.arange(len(calibration.images)), calibration.images)
    best = answer.class_ids[answer.scores(embedded.vectors).argmax(axis=1)]
    return float((best == calibration.class_ids).mean())


def store_answer(
    workspace: Workspace, new: NewVersion, experience: int, seen: Embeddings | None = None
) -> int:
    """Write an accepted model version: first its files, then in one transaction all that refers to them.

    Args:
        workspace: where to.
        new: the version; its answer is given the id, which is returned as well.
        experience: the one that is over with it.
        seen: faces that the version attributes anew, embedded by it.
    """
    weights, answer = workspace.next_weights(), new.answer
    description = {"backbone": workspace.configuration.model.backbone, "class_ids": answer.class_ids.tolist()}
    answer.save(workspace.root / weights, description)
    with workspace.store.transaction() as transaction:
        version = models.add(
            transaction,
            weights,
            workspace.configuration.model_dump(),
            tuple(answer.class_ids.tolist()),
            new.gate,
            new.parent,
        )
        memory.remember(transaction, new.memory)
        if seen is not None:
            write_judged(transaction, answer, replace(seen, model_version=version))
        experiences.set_state(transaction, experience, "updated")
    answer.version = version
    return version


def write_judged(transaction: Connection, answer: Answer, seen: Embeddings) -> None:
    """Keep embedded faces, and who made each of them according to `answer`."""
    if len(seen.face_ids):
        embeddings.write(transaction, seen)
        attributions.write(transaction, answer.attribute(seen))
