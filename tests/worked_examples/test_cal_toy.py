"""CAL's toy expectation: frozen Gaussian features, so that its losses and its head are all that is tried."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from owcl.evaluation.accuracy import known_novel_all
from owcl.learners import cal, uncounted_cal
from owcl.learners.cal import CAL
from owcl.learners.sampling import drawn_evenly
from owcl.learners.uncounted_cal import UncountedCAL
from owcl.models.network import Network

NUM_KNOWN, NUM_NOVEL, WIDTH, EPOCHS = 6, 4, 64, 20


class Frozen(nn.Module):
    """Stands where a backbone would; features come without it."""

    widths = (WIDTH,)


class Toy:
    """Ten Gaussian classes in 64 dimensions, six of them known, one in five faces for the test."""

    def __init__(self, seed: int) -> None:
        rng = torch.Generator().manual_seed(seed)
        means = 0.8 * torch.randn(NUM_KNOWN + NUM_NOVEL, WIDTH, generator=rng)
        sizes = torch.tensor([400] * NUM_KNOWN + [300] * NUM_NOVEL)
        self.truth = torch.arange(NUM_KNOWN + NUM_NOVEL).repeat_interleave(sizes)
        features = means[self.truth] + torch.randn(len(self.truth), WIDTH, generator=rng)
        self.features = (features - features.mean(dim=0)) / features.std(dim=0)
        draw = torch.rand(len(self.truth), generator=rng)
        self.in_test = draw < 0.2
        self.labels = torch.where((self.truth < NUM_KNOWN) & (draw > 0.4), self.truth, -1)
        self.rng = rng

    def learn(self, learner: CAL) -> tuple[float, int]:
        """Return the accuracy on novel faces of the test, and the novel outputs that are left."""
        features, labels = self.features[~self.in_test], self.labels[~self.in_test]
        drawing = np.random.default_rng(0)
        next(learner.batches(labels.numpy(), drawing))
        head = learner.network.head
        steps = EPOCHS * math.ceil(len(labels) / 128)
        adam = torch.optim.Adam(head.parameters(), 2e-3, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
        for step in range(steps):
            rows = torch.from_numpy(drawn_evenly(labels.numpy(), 128, drawing))
            learner.begin(step / steps)
            views = [head(self.seen(features[rows], noise)) for noise in (0.1, 0.3)]
            losses = learner.from_logits(*views, labels[rows], learner.known)
            adam.zero_grad()
            torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
            adam.step()
            schedule.step()
        if isinstance(learner, UncountedCAL):
            learner.settle()
        predicted = learner.network.head(self.features[self.in_test]).argmax(dim=1).numpy()
        found = known_novel_all(self.truth[self.in_test].numpy(), predicted, NUM_KNOWN)
        return found["novel"], learner.network.num_classes - NUM_KNOWN

    def seen(self, features: Tensor, noise: float) -> Tensor:
        return functional.dropout(features + noise * torch.randn(features.shape, generator=self.rng), 0.2)


def network_of(outputs: int, seed: int) -> Network:
    torch.manual_seed(seed)
    return Network(Frozen(), outputs)


def test_far_too_many_outputs_find_more_of_the_novel_classes_if_they_are_pruned() -> None:
    without_reinforcement = {"epochs": EPOCHS, "warm_up": EPOCHS}
    found, left, unpruned = [], [], []
    for seed in (0, 1):
        network = network_of(10 * NUM_KNOWN, seed)
        recipe = replace(uncounted_cal.OFFICIAL, **without_reinforcement)
        accuracy, outputs = Toy(seed).learn(UncountedCAL(network, torch.Generator(), recipe))
        found.append(accuracy)
        left.append(outputs)
        network = network_of(10 * NUM_KNOWN, seed)
        recipe = replace(cal.OFFICIAL, **without_reinforcement)
        unpruned.append(Toy(seed).learn(CAL(network, torch.Generator(), recipe))[0])
    assert np.mean(found) == pytest.approx(0.93, abs=0.1)
    assert all(3 <= outputs <= 5 for outputs in left)
    assert np.mean(found) > np.mean(unpruned) + 0.1
