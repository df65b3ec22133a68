"""By what clusters are compared with known faces."""

from __future__ import annotations

import numpy as np
import torch

from owcl.engine.answer import Answer, Calibration, Doubt
from owcl.engine.judging import Reposted, pictures_of_clusters
from owcl.memory.replay import Exemplars
from owcl.models.backbones import build_backbone
from owcl.models.network import Network
from owcl.novelty.base import CountEstimate


def test_copies_in_a_cluster_are_compared_once_with_known_faces_posted_again(
    rng: np.random.Generator,
) -> None:
    torch.manual_seed(0)
    images, class_ids = rng.integers(0, 256, (40, 3, 32, 32), np.uint8), np.repeat([1, 2], 20)
    known = Exemplars(np.arange(40), images, class_ids, np.ones(40, np.float32), np.zeros(40, np.int8))
    held_out, doubt = Calibration(images, class_ids), Doubt(0.01, 0.02, "neighbours")
    network = Network(build_backbone(), 2).eval()
    answer = Answer.fit(network, (1, 2), known, held_out, frozenset({1, 2}), doubt)
    # The first cluster is 25 pictures, twice each; the second 10, five times each.
    pictures = rng.integers(0, 256, (35, 3, 32, 32), np.uint8)
    rows = np.concatenate([np.arange(25).repeat(2), np.arange(25, 35).repeat(5)])
    vectors = answer.embed(np.arange(35), pictures).vectors
    estimate = CountEstimate(2, 2, 2, np.repeat([0, 1], 50), (1.0, 1.0), {})
    clusters = pictures_of_clusters(pictures[rows], estimate, 400, rng)
    enough, too_few = Reposted(answer, held_out, rng).compared(vectors[rows], clusters, rng)
    assert enough is not None
    assert too_few is None
