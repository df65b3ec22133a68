"""What owcl is measured against: same faces, same backbone, same session-0 weights, and the true number.

Unlike the learner, these baselines see the answer key: it tells them how many classes there are, and the
upper bound which face is of which. Those that count for themselves are in `counting_baselines`.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from owcl.engine import memory
from owcl.engine.counting_baselines import LOOPS, freeze_and_cluster
from owcl.engine.setting import (
    Baseline,
    Predictions,
    Setting,
    answers,
    features,
    found_exemplars,
    grown,
    labelled_exemplars,
    learn_from,
    plan,
)
from owcl.learners.base import UNLABELLED
from owcl.learners.kmeans import head_start, semi_supervised_kmeans
from owcl.learners.registry import LEARNERS, NEED_LABELS, PUBLISHED, UNCOUNTED, first_outputs, settle
from owcl.learners.strategy import TrainingPlan
from owcl.learners.supervised import Supervised
from owcl.models.network import Network, with_outputs
from owcl.models.randomness import torch_randomness

BOUND_UPDATES = 4
"""The upper bound learns as long as so many updates."""


def frozen_kmeans(setting: Setting) -> Predictions:
    """Cluster session-0 features of all faces so far by semi-supervised k-means with the true number.

    The labelled faces hold the known centres in place, which plain k-means would not be given.
    """
    first = setting.sessions[0]
    seen = [features(setting.network, first.images)]
    on_test = features(setting.network, setting.test)
    labels = [first.truth]
    for index, session in enumerate(setting.sessions):
        if index:
            seen.append(features(setting.network, session.images))
            labels.append(np.full(len(session.images), UNLABELLED, np.int64))
        rng = setting.workspace.rng("kmeans", index)
        partition = semi_supervised_kmeans(np.concatenate(seen), np.concatenate(labels), session.arrived, rng)
        distances = np.linalg.norm(on_test[:, None] - partition.centres[None], axis=2)
        yield distances.argmin(axis=1)


def published(name: str) -> Baseline:
    """Return a published recipe, run on each experience without replay.

    It has the true number of outputs; one that is not told it begins with what an earlier experience left,
    and as many more as make an over-complete head. Its batches are half labelled faces, and later experiences
    bring none. As in the offline recipe, the labelled set stays at hand; what is not replayed are the
    unlabelled faces of earlier experiences.
    """

    def predictions(setting: Setting) -> Predictions:
        network = setting.network
        yield answers(network, setting.test)
        first = setting.sessions[0]
        for index, session in enumerate(setting.sessions[1:], start=1):
            rng = setting.workspace.rng("official", index)
            outputs = first_outputs(name, setting.num_known, session.arrived)
            network, torch_rng = grown(network, outputs, rng)
            labels = np.concatenate([first.truth, np.full(len(session.images), UNLABELLED, np.int64)])
            images = np.concatenate([first.images, session.images])
            learner = PUBLISHED[name](network, torch_rng, None)
            learn_from(setting, learner, plan(setting), rng, images, labels, f"published {name}")
            settle(learner)
            yield answers(network, setting.test)

    return predictions


def rehearsed(name: str) -> Baseline:
    """Return a learner with owcl's replay memory and distillation.

    It has the true number of outputs, and new ones start from clusters, as in Happy: from random ones CPL did
    not come to what k-means does. One that is not told the number starts from far too many random ones.
    Where there is a published preset, it is that one, since ours count on the faces found by discovery; but
    not of one that is not told the number, whose published pruning lets outputs go before they have learned.
    Faces of an experience enter the memory under the new outputs that the learner itself gives them.
    Learners that need labels are given the truth: they say what forgetting costs where nothing has to be
    discovered.
    """

    def predictions(setting: Setting) -> Predictions:
        network = setting.network
        yield answers(network, setting.test)
        first = setting.sessions[0]
        per_class = setting.workspace.configuration.memory.per_class
        rng = setting.workspace.rng("replay", 0)
        remembered = memory.bounded(per_class, rng, labelled_exemplars(first.images, first.truth))
        for index, session in enumerate(setting.sessions[1:], start=1):
            rng = setting.workspace.rng(name, index)
            teacher = network
            outputs = first_outputs(name, setting.num_known, session.arrived)
            network, torch_rng = grown(teacher, outputs, rng)
            told = session.truth if name in NEED_LABELS else np.full(len(session.images), UNLABELLED)
            images = np.concatenate([remembered.images, session.images])
            labels = np.concatenate([remembered.class_ids, told])
            if name not in NEED_LABELS | UNCOUNTED.keys():
                give_head_start(network, teacher, images, labels, rng)
            learner = (LEARNERS | PUBLISHED | UNCOUNTED)[name](network, torch_rng, teacher)
            learn_from(setting, learner, plan(setting), rng, images, labels, name)
            settle(learner)
            given = session.truth if name in NEED_LABELS else answers(network, session.images)
            new = given >= teacher.num_classes
            arrivals = found_exemplars(index, session.images[new], given[new])
            remembered = memory.bounded(per_class, rng, remembered, arrivals)
            yield answers(network, setting.test)

    return predictions


def give_head_start(
    network: Network,
    teacher: Network,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """Put new outputs where semi-supervised k-means finds clusters that no class has.

    Without it the labelled classes, which alone have a direction at first, take the new faces over.

    Args:
        network: its first outputs are those of the teacher.
        teacher: in whose embedding is clustered.
        images: `(N, 3, H, W)` remembered and unlabelled faces.
        labels: `(N,)` outputs; `UNLABELLED` where nobody said.
        rng: draws the starts of k-means.
    """
    num_new = network.num_classes - teacher.num_classes
    if not num_new:
        return
    present, places = np.unique(labels[labels != UNLABELLED], return_inverse=True)
    numbered = np.full(len(labels), UNLABELLED, np.int64)
    numbered[labels != UNLABELLED] = places
    partition = semi_supervised_kmeans(features(teacher, images), numbered, network.num_classes, rng)
    # The embedding ends with the features that the head sees.
    weights = network.head.weight
    centres = partition.centres[len(present) :, -weights.shape[1] :]
    old = teacher.head.weight.detach().cpu().numpy()
    with torch.no_grad():
        weights[teacher.num_classes :] = torch.from_numpy(head_start(centres, old, num_new))


def supervised_bound(setting: Setting) -> Predictions:
    """Learn all faces so far with their true labels: nobody can do much better on this backbone.

    Only the end of the stream is trained; earlier experiences, for which it would say little, are passed
    over with the session-0 answer.
    """
    network = setting.network
    for _ in setting.sessions[:-1]:
        yield answers(network, setting.test)
    rng = setting.workspace.rng("bound", 0)
    torch_rng = torch_randomness(rng)
    num_classes = setting.sessions[-1].arrived
    network = with_outputs(network, list(range(setting.num_known)), list(range(num_classes)), torch_rng)
    images = np.concatenate([session.images for session in setting.sessions])
    truth = np.concatenate([session.truth for session in setting.sessions])
    rate = setting.workspace.configuration.training.learning_rate
    budget = TrainingPlan(BOUND_UPDATES * plan(setting).steps, rate)
    learn_from(setting, Supervised(network, torch_rng), budget, rng, images, truth, "supervised bound")
    yield answers(network, setting.test)


BASELINES: dict[str, Baseline] = {
    "frozen_kmeans": frozen_kmeans,
    "cpl_official": published("cpl"),
    "supervised_bound": supervised_bound,
}
"""What every table carries."""
PEERS: dict[str, Baseline] = {
    **{f"{name}_official": published(name) for name in PUBLISHED if name != "cpl"},
    **{name: rehearsed(name) for name in (*LEARNERS, *UNCOUNTED)},
    "freeze_and_cluster": freeze_and_cluster,
    **LOOPS,
}
"""Every learner of the field on the same stream, and systems that count for themselves."""
