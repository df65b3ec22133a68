"""What every baseline starts from, and what all of them do with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from owcl.engine.answer import Answer
from owcl.engine.learning import learn
from owcl.engine.scoring import World
from owcl.engine.workspace import Report, Workspace
from owcl.learners.base import Learner
from owcl.learners.strategy import TrainingPlan
from owcl.memory.replay import LABELLED, PSEUDO_LABELLED, Exemplars
from owcl.models.embed import embed
from owcl.models.network import Network, with_outputs
from owcl.models.randomness import torch_randomness
from scenarios.streams import FaceDataset, pixels, scheduled_benchmark
from storage import classes, faces, models
from storage.names import key_of

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
    held_out: NDArray[np.bool_]
    """`(N,)` faces of session 0 that its network was not trained on."""
    test: NDArray[np.uint8]
    num_known: int
    report: Report


Predictions = Iterator[NDArray[np.int64]]
"""Predicted ids of the test faces after each experience from 0 on; ids below `num_known` are the methods."""
Baseline = Callable[[Setting], Predictions]


def setting_of(workspace: Workspace, world: World, report: Report) -> Setting:
    """Return what a stream starts baselines from: its faces, and the weights of session 0.

    Outputs of the network are in the order of the methods.
    """
    with workspace.store.reading() as transaction:
        first = models.everything(transaction)[0]
        ids = {key_of(entry.name): entry.id for entry in classes.everything(transaction)}
    answer = Answer.load(workspace.root / first.weights, first)
    wanted = [ids[key_of(method)] for method in world.schedule.known]
    network = with_outputs(answer.network, answer.outputs, wanted, torch.Generator())
    # The test faces are decoded already.
    stream = scheduled_benchmark(replace(world.schedule, test=())).train_stream
    sessions = tuple(_session(world, experience) for experience in stream)
    held_out = _held_out(workspace, _sources(world, stream[0]))
    return Setting(workspace, network, sessions, held_out, world.test, len(wanted), report)


def grown(network: Network, num_classes: int, rng: np.random.Generator) -> tuple[Network, torch.Generator]:
    """Return a copy of a network with so many outputs, and the randomness of its learner."""
    torch_rng = torch_randomness(rng)
    present = list(range(network.num_classes))
    return with_outputs(network, present, list(range(num_classes)), torch_rng), torch_rng


def plan(setting: Setting) -> TrainingPlan:
    """Return the budget of an update, the same for all: the steps that owcl learns and refines in."""
    settings = setting.workspace.configuration.training
    return TrainingPlan(settings.update_steps + settings.refine_steps, settings.learning_rate * 2 / 3)


def learn_from(
    setting: Setting,
    learner: Learner,
    budget: TrainingPlan,
    rng: np.random.Generator,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    what: str,
) -> None:
    """Train a learner on faces, and say what is running."""
    dataset = FaceDataset(torch.from_numpy(images), labels)
    learn(setting.workspace, learner, budget, rng, dataset, setting.report, what)


def labelled_exemplars(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Exemplars:
    """Return the labelled faces of session 0 as a replay memory takes them."""
    return _exemplars(0, images, labels, LABELLED)


def found_exemplars(experience: int, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Exemplars:
    """Return faces of an experience under the outputs that a baseline gave them."""
    return _exemplars(experience, images, labels, PSEUDO_LABELLED)


def features(network: Network, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return `(N, D)` embeddings."""
    vectors, _ = embed(network, images)
    return vectors


def answers(network: Network, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the `(N,)` outputs that are the highest."""
    _, logits = embed(network, images)
    best: NDArray[np.int64] = logits.argmax(axis=1)
    return best


def _session(world: World, experience: Any) -> Session:
    """Join an experience of the stream with its truth, which the stream itself does not hold."""
    arrived = sum(len(methods) for methods in world.key.arrived(experience.current_experience))
    images, truth = pixels(experience.dataset).numpy(), world.key.numbers(_sources(world, experience))
    return Session(images, truth, arrived)


def _sources(world: World, experience: Any) -> list[Path]:
    paths = [path for scheduled in world.schedule.experiences for path in scheduled.paths]
    return [paths[face_id] for face_id in experience.dataset.face_ids]


def _held_out(workspace: Workspace, sources: Sequence[Path]) -> NDArray[np.bool_]:
    with workspace.store.reading() as transaction:
        labelled = faces.in_experience(transaction, 0)
        held_out = labelled[faces.are_held_out(transaction, labelled)]
        apart = {Path(face.source) for face in faces.by_ids(transaction, held_out)}
    return np.array([source in apart for source in sources])


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
