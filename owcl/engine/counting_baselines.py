"""Published systems that are not told how many classes there are: they find the new ones themselves.

Only the ideas are theirs: faces, backbone, session-0 weights, replay memory and budget are those of all
rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from owcl.engine import memory
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
from owcl.learners.kmeans import semi_supervised_kmeans
from owcl.learners.supervised import Supervised
from owcl.memory.analytic import AnalyticHead
from owcl.memory.replay import Exemplars
from owcl.novelty.base import NO_CLUSTER
from owcl.novelty.calibration import conformal_p_values
from owcl.novelty.counting.partitions import clusters_of
from owcl.novelty.counting.registry import estimator_named
from owcl.novelty.scores.registry import score_named

REJECTED = 0.05
"""Share of known faces that may be rejected."""


def freeze_and_cluster(setting: Setting) -> Predictions:
    """Cluster frozen features into as many classes as owcl counts on them, and learn a linear head only.

    Source:
        Freeze and Cluster (arXiv 2503.09106).
    """
    network, first = setting.network, setting.sessions[0]
    settings = setting.workspace.configuration.novelty
    seen, labels = [features(network, first.images)], [first.truth]
    on_test = features(network, setting.test)
    yield answers(network, setting.test)
    for index, session in enumerate(setting.sessions[1:], start=1):
        rng = setting.workspace.rng("freeze_and_cluster", index)
        seen.append(features(network, session.images))
        labels.append(np.full(len(session.images), UNLABELLED, np.int64))
        fit, came = ~setting.held_out, np.concatenate(seen[1:])
        outside = rejected("neighbours", seen[0][fit], first.truth[fit], seen[0][setting.held_out], came)
        labelled = labelled_exemplars(first.images[fit], first.truth[fit])
        scale = in_reference(labelled, rng)
        counter = estimator_named(settings.count)(settings.smallest_class)
        counter.fit(seen[0][fit][scale], labelled.class_ids[scale])
        found = counter.estimate(came[outside], rng)
        everything = np.concatenate(seen)
        number = setting.num_known + found.value
        partition = semi_supervised_kmeans(everything, np.concatenate(labels), number, rng)
        head = AnalyticHead(everything.shape[1])
        head.add(everything, partition.assignments, np.ones(len(everything)))
        yield head.class_ids[head.scores(on_test).argmax(axis=1)]


def loop(score: str, estimator: str) -> Baseline:
    """Return a system that rejects faces, clusters the rejected, and learns the clusters by cross-entropy.

    What is rejected and in no cluster waits for the next experience.

    Args:
        score: by which faces are rejected.
        estimator: which finds clusters among them.
    """

    def predictions(setting: Setting) -> Predictions:
        network, first = setting.network, setting.sessions[0]
        yield answers(network, setting.test)
        settings = setting.workspace.configuration
        per_class, smallest = settings.memory.per_class, settings.novelty.smallest_class
        rng = setting.workspace.rng(estimator, 0)
        fit = labelled_exemplars(first.images[~setting.held_out], first.truth[~setting.held_out])
        remembered = memory.bounded(per_class, rng, fit)
        calibration = first.images[setting.held_out]
        waiting = first.images[:0]
        for index, session in enumerate(setting.sessions[1:], start=1):
            rng = setting.workspace.rng(estimator, index)
            pool = np.concatenate([waiting, session.images])
            known, came = features(network, remembered.images), features(network, pool)
            outside = rejected(score, known, remembered.class_ids, features(network, calibration), came)
            scale = in_reference(remembered, setting.workspace.rng("reference", index))
            counter = estimator_named(estimator)(smallest)
            counter.fit(known[scale], remembered.class_ids[scale])
            clusters = counter.clustered(came[outside], rng)
            in_cluster = clusters != NO_CLUSTER
            waiting = pool[outside][~in_cluster]
            if in_cluster.any():
                new = network.num_classes + clusters[in_cluster]
                found = found_exemplars(index, pool[outside][in_cluster], new)
                network, torch_rng = grown(network, network.num_classes + clusters_of(clusters), rng)
                images = np.concatenate([remembered.images, found.images])
                told = np.concatenate([remembered.class_ids, found.class_ids])
                learn_from(
                    setting, Supervised(network, torch_rng), plan(setting), rng, images, told, estimator
                )
                remembered = memory.bounded(per_class, rng, remembered, found)
            yield answers(network, setting.test)

    return predictions


LOOPS: dict[str, Baseline] = {
    "owgan_loop": loop("neighbours", "overclustering"),
    "selfadapt_loop": loop("mixtures", "searched_density"),
}
"""After Girish et al., ICCV 2021 (arXiv 2105.04580), and SelfAdapt (arXiv 2504.03615)."""


def in_reference(remembered: Exemplars, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return `(N,)` which remembered faces set the scale of counting."""
    return np.isin(remembered.face_ids, memory.reference_sample(remembered, rng).face_ids)


def rejected(
    score: str,
    known: NDArray[np.float32],
    classes: NDArray[np.int64],
    calibration: NDArray[np.float32],
    came: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Return `(N,)` which faces are unlike known ones, at the rate that is allowed for these."""
    fitted = score_named(score).fit(known, classes)
    return conformal_p_values(fitted.score(calibration), fitted.score(came)) <= REJECTED
