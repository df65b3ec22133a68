"""What owcl is measured against: same faces, same backbone, same session-0 weights, and the true number.

Unlike the learner, baselines see the answer key: it tells them how many classes there are, and the upper
bound which face is of which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from owcl.engine import memory
from owcl.engine.train import device, step_progress
from owcl.engine.workspace import Report, Workspace
from owcl.learners.base import UNLABELLED
from owcl.learners.kmeans import semi_supervised_kmeans
from owcl.learners.registry import LEARNERS, NEED_LABELS, PUBLISHED
from owcl.learners.strategy import ContinualStrategy, TrainableLearner, TrainingPlan
from owcl.learners.supervised import Supervised
from owcl.memory.replay import LABELLED, PSEUDO_LABELLED, Exemplars
from owcl.models.embed import embed
from owcl.models.network import Network, with_outputs
from scenarios.streams import FaceDataset, single_experience

BOUND_UPDATES = 4
"""The upper bound learns as long as so many updates."""
MOST_FACES = 10**9
"""More than any experience holds; keeps the numbers of remembered faces apart."""


@dataclass(frozen=True)
class Session:
    """Pixels and hidden truth of one experience, as method numbers."""

    images: NDArray[np.uint8]
    truth: NDArray[np.int64]
    arrived: int
    """Methods that have arrived by now: the true number of classes."""


@dataclass(frozen=True)
class Setting:
    """What every baseline starts from."""

    workspace: Workspace
    network: Network
    """Session 0; its outputs are the known methods in order."""
    sessions: tuple[Session, ...]
    test: NDArray[np.uint8]
    num_known: int
    report: Report


Predictions = Iterator[NDArray[np.int64]]
"""Predicted ids of the test faces after each experience from 0 on; ids below `num_known` are the methods."""
Baseline = Callable[[Setting], Predictions]


def frozen_kmeans(setting: Setting) -> Predictions:
    """Cluster session-0 features of all faces so far by semi-supervised k-means with the true number.

    The labelled faces hold the known centres in place, which plain k-means would not be given.
    """
    first = setting.sessions[0]
    features = [_features(setting.network, first.images)]
    on_test = _features(setting.network, setting.test)
    labels = [first.truth]
    for index, session in enumerate(setting.sessions):
        if index:
            features.append(_features(setting.network, session.images))
            labels.append(np.full(len(session.images), UNLABELLED, np.int64))
        rng = setting.workspace.rng("kmeans", index)
        partition = semi_supervised_kmeans(
            np.concatenate(features), np.concatenate(labels), session.arrived, rng
        )
        distances = np.linalg.norm(on_test[:, None] - partition.centres[None], axis=2)
        yield distances.argmin(axis=1)


def published(name: str) -> Baseline:
    """Return a published recipe, run on each experience with the true number of outputs and no replay.

    Its batches are half labelled faces, and later experiences bring none. As in the offline recipe, the
    labelled set stays at hand; what is not replayed are the unlabelled faces of earlier experiences.
    """

    def predictions(setting: Setting) -> Predictions:
        network = setting.network
        yield _argmax(network, setting.test)
        first = setting.sessions[0]
        for index, session in enumerate(setting.sessions[1:], start=1):
            rng = setting.workspace.rng("official", index)
            network, torch_rng = _grown(network, session, rng)
            labels = np.concatenate([first.truth, np.full(len(session.images), UNLABELLED, np.int64)])
            images = np.concatenate([first.images, session.images])
            learner = PUBLISHED[name](network, torch_rng, None)
            _run(setting, learner, _plan(setting), rng, images, labels, f"published {name}")
            yield _argmax(network, setting.test)

    return predictions


def rehearsed(name: str) -> Baseline:
    """Return a learner with owcl's replay memory and distillation, and the true number of outputs.

    Where there is a published preset, it is that one, since ours count on the faces found by discovery.
    Faces of an experience enter the memory under the new outputs that the learner itself gives them.
    Learners that need labels are given the truth: they say what forgetting costs where nothing has to be
    discovered.
    """

    def predictions(setting: Setting) -> Predictions:
        network = setting.network
        yield _argmax(network, setting.test)
        first = setting.sessions[0]
        per_class = setting.workspace.configuration.memory.per_class
        rng = setting.workspace.rng("replay", 0)
        remembered = memory.bounded(per_class, rng, _exemplars(0, first.images, first.truth, LABELLED))
        for index, session in enumerate(setting.sessions[1:], start=1):
            rng = setting.workspace.rng(name, index)
            teacher = network
            network, torch_rng = _grown(teacher, session, rng)
            unlabelled = np.full(len(session.images), UNLABELLED, np.int64)
            told = session.truth if name in NEED_LABELS else unlabelled
            images = np.concatenate([remembered.images, session.images])
            labels = np.concatenate([remembered.class_ids, told])
            learner = (LEARNERS | PUBLISHED)[name](network, torch_rng, teacher)
            _run(setting, learner, _plan(setting), rng, images, labels, name)
            given = session.truth if name in NEED_LABELS else _argmax(network, session.images)
            new = given >= teacher.num_classes
            arrivals = _exemplars(index, session.images[new], given[new], PSEUDO_LABELLED)
            remembered = memory.bounded(per_class, rng, remembered, arrivals)
            yield _argmax(network, setting.test)

    return predictions


def supervised_bound(setting: Setting) -> Predictions:
    """Learn all faces so far with their true labels: nobody can do much better on this backbone.

    Only the end of the stream is trained; earlier experiences, for which it would say little, are passed
    over with the session-0 answer.
    """
    network = setting.network
    for _ in setting.sessions[:-1]:
        yield _argmax(network, setting.test)
    rng = setting.workspace.rng("bound", 0)
    torch_rng = torch.Generator().manual_seed(int(rng.integers(2**31)))
    num_classes = setting.sessions[-1].arrived
    network = with_outputs(network, list(range(setting.num_known)), list(range(num_classes)), torch_rng)
    images = np.concatenate([session.images for session in setting.sessions])
    truth = np.concatenate([session.truth for session in setting.sessions])
    settings = setting.workspace.configuration.training
    plan = TrainingPlan(BOUND_UPDATES * settings.update_steps, settings.learning_rate)
    _run(setting, Supervised(network, torch_rng), plan, rng, images, truth, "supervised bound")
    yield _argmax(network, setting.test)


BASELINES: dict[str, Baseline] = {
    "frozen_kmeans": frozen_kmeans,
    "cpl_official": published("cpl"),
    "supervised_bound": supervised_bound,
}
"""What every table carries."""
PEERS: dict[str, Baseline] = {
    **{f"{name}_official": published(name) for name in PUBLISHED if name != "cpl"},
    **{name: rehearsed(name) for name in LEARNERS},
}
"""Every learner of the field on the same stream."""


def _grown(network: Network, session: Session, rng: np.random.Generator) -> tuple[Network, torch.Generator]:
    """Return a copy of a network with an output for every method that has arrived, and its randomness."""
    torch_rng = torch.Generator().manual_seed(int(rng.integers(2**31)))
    present = list(range(network.num_classes))
    return with_outputs(network, present, list(range(session.arrived)), torch_rng), torch_rng


def _plan(setting: Setting) -> TrainingPlan:
    settings = setting.workspace.configuration.training
    return TrainingPlan(settings.update_steps, settings.learning_rate * 2 / 3)


def _exemplars(
    experience: int, images: NDArray[np.uint8], labels: NDArray[np.int64], origin: int
) -> Exemplars:
    return Exemplars(
        experience * MOST_FACES + np.arange(len(images)),
        images,
        labels,
        np.ones(len(images), np.float32),
        np.full(len(images), origin, np.int8),
    )


def _run(
    setting: Setting,
    learner: TrainableLearner,
    plan: TrainingPlan,
    rng: np.random.Generator,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    what: str,
) -> None:
    strategy = ContinualStrategy(
        learner=learner,
        plan=plan,
        rng=rng,
        device=device(setting.workspace),
        progress=step_progress(setting.report, what),
    )
    strategy.train(single_experience(FaceDataset(torch.from_numpy(images), labels)), eval_streams=[])
    learner.cpu()


def _features(network: Network, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    vectors, _ = embed(network, images)
    return vectors


def _argmax(network: Network, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    _, logits = embed(network, images)
    best: NDArray[np.int64] = logits.argmax(axis=1)
    return best
