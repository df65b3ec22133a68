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

from owcl.engine.train import device, step_progress
from owcl.engine.workspace import Report, Workspace
from owcl.learners.base import UNLABELLED
from owcl.learners.cpl import CPL, OFFICIAL
from owcl.learners.kmeans import semi_supervised_kmeans
from owcl.learners.strategy import ContinualStrategy, TrainingPlan
from owcl.learners.supervised import Supervised
from owcl.models.embed import embed
from owcl.models.network import Network, with_outputs
from scenarios.streams import FaceDataset, single_experience

BOUND_UPDATES = 4
"""The upper bound learns as long as so many updates."""


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


def cpl_official(setting: Setting) -> Predictions:
    """Run the published recipe on each experience, with the true number of outputs and no replay.

    Its batches are half labelled faces, and later experiences bring none. As in the offline recipe, the
    labelled set stays at hand; what is not replayed are the unlabelled faces of earlier experiences.
    """
    network = setting.network
    settings = setting.workspace.configuration.training
    yield _argmax(network, setting.test)
    first = setting.sessions[0]
    for index, session in enumerate(setting.sessions[1:], start=1):
        rng = setting.workspace.rng("official", index)
        torch_rng = torch.Generator().manual_seed(int(rng.integers(2**31)))
        present = list(range(network.num_classes))
        network = with_outputs(network, present, list(range(session.arrived)), torch_rng)
        labels = np.concatenate([first.truth, np.full(len(session.images), UNLABELLED, np.int64)])
        images = np.concatenate([first.images, session.images])
        plan = TrainingPlan(settings.update_steps, settings.learning_rate * 2 / 3)
        _run(setting, CPL(network, torch_rng, OFFICIAL), plan, rng, images, labels, "published CPL")
        yield _argmax(network, setting.test)


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


BASELINES: dict[str, Callable[[Setting], Predictions]] = {
    "frozen_kmeans": frozen_kmeans,
    "cpl_official": cpl_official,
    "supervised_bound": supervised_bound,
}


def _run(
    setting: Setting,
    learner: CPL | Supervised,
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
