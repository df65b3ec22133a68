"""`owcl update`: one continual step, from promoted classes to a model version that passes the gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sqlalchemy import Connection

from owcl.engine import memory
from owcl.engine.answer import Answer, Calibration
from owcl.engine.journal import journalled
from owcl.engine.learning import learn
from owcl.engine.returning import returned_faces
from owcl.engine.train import NewVersion, doubt, store_answer, write_judged
from owcl.engine.workspace import Report, Workspace, silent
from owcl.errors import BadInput
from owcl.evaluation.gate import gate
from owcl.learners.base import UNLABELLED
from owcl.learners.kmeans import semi_supervised_kmeans
from owcl.learners.registry import Build, learner_named
from owcl.learners.strategy import TrainingPlan
from owcl.learners.supervised import Supervised
from owcl.memory.replay import PSEUDO_LABELLED, Exemplars
from owcl.models.embed import embed
from owcl.models.network import Network, with_outputs
from owcl.models.randomness import torch_randomness
from owcl.types import Embeddings
from scenarios.streams import FaceDataset
from storage import classes, embeddings, experiences, faces, memberships

VOUCHING_FACES = 3
"""Faces that an operator has put into a class, from which on it is no guess any more."""
JOINING_WEIGHT = 0.9
"""How much a face counts that joins a class which was just learned; about so many join rightly."""

WhoAnswers = Literal["adapted", "extended", "unchanged"]
"""Who answers after an update: a network that passed the gate; the earlier one, with the new classes and what
people vouch for or took back; or the earlier model as it was, since there was nothing to learn."""


@dataclass(frozen=True)
class UpdateResult:
    """What came of it."""

    experience: int
    model_version: int
    answers: WhoAnswers
    gate: dict[str, Any]
    """On what evidence an adapted network was let through or not; empty where none was adapted."""


@dataclass(frozen=True)
class _Faces:
    """The faces of one update."""

    memory: Exemplars
    """Without the members."""
    members: Exemplars
    """Faces of classes that the model has not learned, without those held out."""
    unlabelled: NDArray[np.uint8]
    unlabelled_ids: NDArray[np.int64]
    calibration: Calibration
    labelled_classes: frozenset[int]
    vouched: frozenset[int]
    """Discovered classes of which a person has said that they are one."""
    corrected: bool
    """Whether remembered faces stand for another class than they were learned as, or for none."""


@journalled("update")
def update(workspace: Workspace, report: Report = silent, learner: str | None = None) -> UpdateResult:
    """Learn what was discovered, without forgetting what was known.

    Args:
        workspace: with a discovery that was not learned yet.
        report: told of progress.
        learner: its name; else the one of the configuration.

    Raises:
        BadInput: if there is no model, or no discovery to learn from.
        NotFound: if there is no such learner.
    """
    build = learner_named(learner or workspace.configuration.training.learner)
    answer = workspace.answer()
    experience = _ready_experience(workspace)
    material = _gather(workspace, experience)
    if not len(material.members):
        return _without_learning(workspace, answer, experience, material, report)
    rng = workspace.rng("update", experience)
    per_class = workspace.configuration.memory.per_class
    kept = memory.bounded(per_class, rng, material.memory, material.members)
    outputs = _outputs(answer, kept)
    network, agreed = _adapted(workspace, answer, outputs, material, build, rng, report)
    kept = memory.bounded(per_class, rng, kept, _joining(workspace, material, agreed, answer.class_ids))
    report("checking the new version", 0, None)
    adapted = _fitted(workspace, network, outputs, kept, material)
    extended = _fitted(workspace, answer.network, answer.outputs, kept, material)
    evidence = _gate(answer, extended, adapted, kept, material)
    fitted = adapted if evidence["passed"] else extended
    new = NewVersion(fitted, kept, answer.version, evidence)
    version = store_answer(workspace, new, experience, _seen_anew(workspace, fitted, experience, report))
    return UpdateResult(experience, version, "adapted" if evidence["passed"] else "extended", evidence)


def _without_learning(
    workspace: Workspace, answer: Answer, experience: int, material: _Faces, report: Report
) -> UpdateResult:
    """Let the network answer as it is; what came back and what people said by now changes the head."""
    rng = workspace.rng("come back", experience)
    back = returned_faces(workspace, experience, material.memory, rng)
    if len(back) or material.corrected or material.vouched != answer.vouched:
        kept = memory.bounded(workspace.configuration.memory.per_class, rng, material.memory, back)
        adapted = _fitted(workspace, answer.network, answer.outputs, kept, material)
        new = NewVersion(adapted, kept, answer.version, {})
        version = store_answer(workspace, new, experience, _seen_anew(workspace, adapted, experience, report))
        return UpdateResult(experience, version, "extended", {})
    seen = _seen_anew(workspace, answer, experience, report)
    with workspace.store.transaction() as transaction:
        write_judged(transaction, answer, seen)
        experiences.set_state(transaction, experience, "updated")
    return UpdateResult(experience, answer.version, "unchanged", {})


def _fitted(
    workspace: Workspace, network: Network, outputs: tuple[int, ...], kept: Exemplars, material: _Faces
) -> Answer:
    known, calibration = material.labelled_classes, _answerable(material.calibration, kept)
    return Answer.fit(network, outputs, kept, calibration, known, doubt(workspace), material.vouched)


def _answerable(calibration: Calibration, kept: Exemplars) -> Calibration:
    """Leave out classes of which every face is held out, or was taken away: none could be answered."""
    rows = np.isin(calibration.class_ids, kept.class_ids)
    return Calibration(calibration.images[rows], calibration.class_ids[rows])


def _ready_experience(workspace: Workspace) -> int:
    """Return the newest experience that was looked through; faces may have come in since, and wait."""
    with workspace.store.reading() as transaction:
        ready = experiences.looked_through(transaction)
    if ready is None:
        raise BadInput(
            f"{workspace.root}: there is no discovery to learn from. Faces that were ingested and looked "
            "through are expected. Run `owcl ingest` and `owcl discover` first."
        )
    return ready.index


def _gather(workspace: Workspace, experience: int) -> _Faces:
    with workspace.store.reading() as transaction:
        remembered, learned = memory.recall(transaction), memory.learned(transaction)
        member_ids, member_classes, weights, origins = _unlearned(transaction, learned)
        loose = np.setdiff1d(
            faces.in_experience(transaction, experience), memberships.active(transaction).face_ids
        )
        held_out, held_out_classes = memory.held_out_faces(transaction)
        labelled = {entry.id for entry in classes.live(transaction) if entry.status == "known"}
        vouched = vouched_for(transaction)
    present, images = workspace.pixels(member_ids)
    rows = np.searchsorted(member_ids, present)
    members = Exemplars(present, images, member_classes[rows], weights[rows], origins[rows])
    present, images = workspace.pixels(held_out)
    calibration = memory.calibration(held_out, held_out_classes, present, images)
    loose, unlabelled = workspace.pixels(loose)
    corrected = learned != dict(zip(remembered.face_ids.tolist(), remembered.class_ids.tolist(), strict=True))
    remembered = remembered.take(~np.isin(remembered.face_ids, members.face_ids))
    return _Faces(
        remembered, members, unlabelled, loose, calibration, frozenset(labelled), vouched, corrected
    )


def vouched_for(transaction: Connection) -> frozenset[int]:
    """Return the discovered classes that an operator has named, or put some faces into."""
    active = memberships.active(transaction)
    said = np.array([origin == "operator" for origin in active.origins], bool)
    counted = Counter(active.class_ids[said].tolist())
    return frozenset(
        entry.id
        for entry in classes.live(transaction)
        if entry.status == "named" or (entry.status == "provisional" and counted[entry.id] >= VOUCHING_FACES)
    )


def _unlearned(
    transaction: Connection, learned: Mapping[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.int8]]:
    """Return ids, classes, weights and origins of members that are not remembered under their class.

    Of a class of which some are, the rest is no news, but for what an operator says. A class that was merged
    into another one is looked at by itself: each of the two may be one that was not learned.
    """
    written = memberships.as_written(transaction)
    active = memberships.resolved(transaction, written)
    pairs = zip(active.face_ids.tolist(), active.class_ids.tolist(), strict=True)
    remembered = np.array([learned.get(face_id) == class_id for face_id, class_id in pairs], bool)
    said = np.array([origin == "operator" for origin in active.origins], bool)
    news = said | ~np.isin(written.class_ids, written.class_ids[remembered])
    live = np.isin(active.class_ids, [entry.id for entry in classes.live(transaction)])
    held_out = faces.are_held_out(transaction, active.face_ids)
    rows = np.flatnonzero(live & news & ~remembered & ~held_out)
    return (
        active.face_ids[rows],
        active.class_ids[rows],
        active.weights[rows].astype(np.float32),
        memory.origins_of([active.origins[row] for row in rows.tolist()]),
    )


def _outputs(answer: Answer, kept: Exemplars) -> tuple[int, ...]:
    """Return the classes of the next head, in order.

    Learners take the outputs of their teacher, the model that answers, for the first of their own. So those
    of its classes that live come first, in its order, and behind them also an older one that is back.
    """
    living = set(kept.class_ids.tolist())
    earlier = [class_id for class_id in answer.outputs if class_id in living]
    return (*earlier, *sorted(living.difference(earlier)))


def _adapted(
    workspace: Workspace,
    answer: Answer,
    outputs: tuple[int, ...],
    material: _Faces,
    build: Build,
    rng: np.random.Generator,
    report: Report,
) -> tuple[Network, NDArray[np.int64]]:
    """Adapt a copy of the answering network by the learner and refinement by semi-supervised k-means.

    Returns:
        The network, and the `(U,)` class that refinement gave to each unlabelled face; `UNLABELLED` for none.
    """
    settings = workspace.configuration.training
    torch_rng = torch_randomness(rng)
    network = with_outputs(answer.network, answer.outputs, outputs, torch_rng)
    remembered, found = (memory.operators_repeated(part) for part in (material.memory, material.members))
    images = np.concatenate([remembered.images, found.images, material.unlabelled])
    labels = np.full(len(images), UNLABELLED, np.int64)
    given = np.concatenate([remembered.class_ids, found.class_ids])
    output_of = {class_id: output for output, class_id in enumerate(outputs)}
    labels[: len(given)] = [output_of[class_id] for class_id in given.tolist()]
    if not len(material.unlabelled):
        # Every face of the experience found its class; the members, seen without it, play its part.
        images = np.concatenate([images, material.members.images])
        labels = np.concatenate([labels, np.full(len(material.members), UNLABELLED, np.int64)])
    # The teacher answers with no class that lives no longer, so that its outputs are the learner's first.
    kept = [class_id for class_id in outputs if class_id in answer.outputs]
    teacher = with_outputs(answer.network, answer.outputs, kept, torch.Generator())
    learner = build(network, torch_rng, teacher)
    plan = TrainingPlan(settings.update_steps, settings.learning_rate * 2 / 3)
    dataset = FaceDataset(torch.from_numpy(images), labels)
    learn(workspace, learner, plan, rng, dataset, report, "learning what was discovered")
    if settings.refine_steps:
        labels = _pseudo_labels(network, images, labels, rng)
        dataset = FaceDataset(torch.from_numpy(images), labels)
        refiner = Supervised(network, torch_rng)
        plan = TrainingPlan(settings.refine_steps, settings.learning_rate / 10)
        learn(workspace, refiner, plan, rng, dataset, report, "refining")
    agreed = labels[len(given) :][: len(material.unlabelled)]
    return network, np.where(agreed == UNLABELLED, UNLABELLED, np.array(outputs)[agreed])


def _pseudo_labels(
    network: Network, images: NDArray[np.uint8], labels: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Label those unlabelled faces on which semi-supervised k-means and the head agree."""
    vectors, logits = embed(network, images)
    partition = semi_supervised_kmeans(vectors, labels, network.num_classes, rng)
    agreed = partition.assignments == logits.argmax(axis=1)
    return np.where((labels == UNLABELLED) & agreed, partition.assignments, labels)


def _joining(
    workspace: Workspace, material: _Faces, agreed: NDArray[np.int64], learned: NDArray[np.int64]
) -> Exemplars:
    """Return the unlabelled faces that were given a class which nothing had learned before.

    Of a method that lies near a known one, discovery finds the faces that stand out. A head on these alone
    would leave the others to the known class, at every sight anew. What somebody took out of a class does
    not join one by itself, and what is held out joins none.

    Args:
        workspace: says which faces are held out, and which were taken out of a class.
        material: of the update.
        agreed: `(U,)` class of each unlabelled face; `UNLABELLED` for none.
        learned: ids of the classes that the answering model knows.
    """
    rows = np.flatnonzero(~np.isin(agreed, [UNLABELLED, *learned.tolist()]))
    with workspace.store.reading() as transaction:
        rows = rows[~np.isin(material.unlabelled_ids[rows], memberships.taken_out(transaction))]
        rows = rows[~faces.are_held_out(transaction, material.unlabelled_ids[rows])]
    return Exemplars(
        material.unlabelled_ids[rows],
        material.unlabelled[rows],
        agreed[rows],
        np.full(len(rows), JOINING_WEIGHT, np.float32),
        np.full(len(rows), PSEUDO_LABELLED, np.int8),
    )


def _gate(old: Answer, extended: Answer, new: Answer, kept: Exemplars, material: _Faces) -> dict[str, Any]:
    """Say whether a new version may answer, and on what evidence.

    Args:
        old: the version that answers.
        extended: what would answer if the new version may not.
        new: the version with the adapted network.
        kept: what is remembered from now on.
        material: of the update.
    """
    class_ids = _answerable(material.calibration, kept).class_ids
    ours = np.isin(class_ids, list(material.labelled_classes))
    # Among the labelled classes alone: what discovered ones may take over has a budget of its own. What
    # would answer otherwise has the old network, by which the held-out faces are embedded already.
    before = old.taken_for(extended.held_out[ours], material.labelled_classes)
    after = new.taken_for(new.held_out[ours], material.labelled_classes)
    known = np.isin(kept.class_ids, old.class_ids)
    # Each head was fitted on these very faces, in this order.
    without, taken = (
        answer.class_ids[answer.head.scores(answer.exemplars[known]).argmax(axis=1)]
        for answer in (extended, new)
    )
    return gate(class_ids[ours], before, after, kept.class_ids[known], without, taken)


def _seen_anew(workspace: Workspace, answer: Answer, experience: int, report: Report) -> Embeddings:
    """Embed the faces of the experience that a model has not judged yet: all of them for a new version.

    What was said of them at first sight stays in the history.
    """
    with workspace.store.reading() as transaction:
        unseen = embeddings.missing(transaction, answer.version, experience)
    report("attributing anew", 0, None)
    return answer.embed(*workspace.pixels(unseen))
