"""Who has arrived? A classifier between what is remembered of the known and the faces that came in.

A distance in a space that was trained on the known methods cannot see a forgery whose traces that space
has no axis for. But the faces of a new generator came together, and all share their trace: a network that
learns to tell the unlabelled faces from the remembered ones finds that axis. Faces of known methods are on
both sides, so nothing tells them apart, and on faces that it was not trained on the classifier is at a loss.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from owcl.faces.views import to_float, weak_view
from owcl.learners.base import Batch
from owcl.learners.sampling import ShareSampler
from owcl.learners.strategy import ContinualStrategy, Progress, TrainingPlan
from owcl.learners.supervised import SMOOTHING
from owcl.memory.replay import Exemplars
from owcl.models.embed import embed
from owcl.models.network import Network
from owcl.models.randomness import torch_randomness
from scenarios.streams import FaceDataset, single_experience

FOLDS = 2
BATCH = 128


@dataclass(frozen=True)
class ArrivalScores:
    """How much each face looks like an arrival to a classifier that was not trained on it."""

    scores: NDArray[np.float64]
    """`(N,)` of the unlabelled faces; a logit, higher is more like an arrival."""
    folds: NDArray[np.int64]
    """`(N,)` which classifier said so."""
    calibration: NDArray[np.float64]
    """`(FOLDS, M)` of held-out known faces by each classifier."""


class ArrivalClassifier(nn.Module):
    """The known classes and, as one class more, everything that came in; half a batch each.

    Args:
        network: its last output is for arrivals.
        rng: draws the views.
    """

    def __init__(self, network: Network, rng: torch.Generator) -> None:
        super().__init__()
        self.network = network
        self.rng = rng

    def batches(self, labels: NDArray[np.int64], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yield `(B,)` rows, known classes evenly in one half and unlabelled faces in the other."""
        sampler = ShareSampler(labels, 0.5, rng)
        while True:
            yield sampler.take(BATCH)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy with unlabelled faces as the last class."""
        arrival = self.network.num_classes - 1
        labels = torch.where(batch.labels < 0, arrival, batch.labels)
        images = to_float(weak_view(batch.images, self.rng)).contiguous(memory_format=torch.channels_last)
        logits = self.network(images).logits.float()
        return {"cross_entropy": functional.cross_entropy(logits, labels, label_smoothing=SMOOTHING)}


def arrival_scores(
    network: Network,
    known: Exemplars,
    images: NDArray[np.uint8],
    calibration: NDArray[np.uint8],
    plan: TrainingPlan,
    rng: np.random.Generator,
    device: str = "cpu",
    progress: Progress | None = None,
) -> ArrivalScores:
    """Score unlabelled faces by classifiers trained on the others (cross-fitting).

    Args:
        network: the model that answers today; it is not changed.
        known: remembered faces; `class_ids` are outputs of the network.
        images: `(N, 3, H, W)` unlabelled faces, at least one for each fold.
        calibration: `(M, 3, H, W)` faces of known classes that nothing was trained on. A known face among
            the unlabelled ones is exchangeable with them, so that conformal p-values of the scores hold.
        plan: steps of each classifier.
        rng: draws folds and batches.
        device: where to compute.
        progress: told of every step.

    Source:
        Learning from positive and unlabelled examples after Elkan and Noto, KDD 2008; cross-fitting and
        conformal p-values of such a score after Bates et al., Annals of Statistics 2023. Ours differs in
        that the known side keeps its classes.
    """
    folds = rng.permutation(len(images)) % FOLDS
    scores = np.empty(len(images))
    on_calibration = np.empty((FOLDS, len(calibration)))
    for fold in range(FOLDS):
        held_out = folds == fold
        classifier = _trained(network, known, images[~held_out], plan, rng, device, progress)
        scores[held_out] = _arrival_logit(classifier, images[held_out])
        on_calibration[fold] = _arrival_logit(classifier, calibration)
    return ArrivalScores(scores, folds, on_calibration)


def _trained(
    network: Network,
    known: Exemplars,
    images: NDArray[np.uint8],
    plan: TrainingPlan,
    rng: np.random.Generator,
    device: str,
    progress: Progress | None,
) -> Network:
    classifier = copy.deepcopy(network)
    torch_rng = torch_randomness(rng)
    rows = classifier.head.weight.detach()
    classifier.set_outputs(torch.cat([rows, torch.zeros_like(rows[:1])]))
    strategy = ContinualStrategy(
        learner=ArrivalClassifier(classifier, torch_rng),
        plan=plan,
        rng=rng,
        replay=known,
        device=device,
        progress=progress,
    )
    strategy.train(single_experience(FaceDataset(torch.from_numpy(images))), eval_streams=[])
    return classifier


def _arrival_logit(network: Network, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    _, logits = embed(network, images)
    known, arrival = torch.from_numpy(logits[:, :-1]), torch.from_numpy(logits[:, -1])
    difference: NDArray[np.float64] = (arrival - known.logsumexp(dim=1)).double().numpy()
    return difference
