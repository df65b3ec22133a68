"""CAL's examples 11, 14 and 15: schedules, what must not change, and going on with some outputs gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from owcl.learners import cal, uncounted_cal
from owcl.learners.base import Batch
from owcl.learners.cal import CAL
from owcl.learners.consistency import epoch_of, self_calibration
from owcl.learners.resuming import Resumption, Training
from owcl.learners.strategy import ContinualStrategy, TrainingPlan
from owcl.learners.uncounted_cal import UncountedCAL
from owcl.models.network import Network
from scenarios.layouts.benchmark import read_recipe
from scenarios.streams import FaceDataset, single_experience
from tests.learners.test_learners import TinyBackbone

# Example 11

EPOCHS = 50


class Downhill(nn.Module):
    """One weight on an even slope, on which Adam moves by just the learning rate in each step."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Linear(1, 1, bias=False, dtype=torch.float64)
        nn.init.zeros_(self.network.weight)
        self.places: list[float] = []

    def batches(self, labels: NDArray[np.int64], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        while True:
            yield np.arange(len(labels))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        self.places.append(self.network.weight.item())
        return {"cross_entropy": -self.network.weight.sum()}


def rates(plan: TrainingPlan) -> NDArray[np.float64]:
    """Return the learning rate of each step."""
    learner = Downhill()
    strategy = ContinualStrategy(learner=learner, plan=plan, rng=np.random.default_rng(0))
    faces = FaceDataset(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), np.zeros(2, np.int64))
    strategy.train(single_experience(faces), eval_streams=[])
    return np.diff([*learner.places, learner.network.weight.item()])


@pytest.fixture(scope="module")
def published() -> NDArray[np.float64]:
    """Of each epoch in the published recipe, with one step an epoch."""
    recipe = read_recipe("cal")
    every, factor = recipe.decay
    return rates(TrainingPlan(recipe.epochs, recipe.learning_rate, 0.0, decay=(round(every), factor)))


def test_the_learning_rate_falls_to_nothing(published: NDArray[np.float64]) -> None:
    assert len(published) == EPOCHS
    assert published[[9, 10, 49]] == pytest.approx([2e-4, 1e-5, 1.25e-9], rel=1e-4)


def test_nearly_all_of_it_is_spent_in_the_first_ten_epochs(published: NDArray[np.float64]) -> None:
    shares = published.cumsum() / published.sum()
    assert shares[[4, 9, 19]] == pytest.approx([0.4750, 0.9500, 0.9975], abs=1e-4)


def test_ours_still_learns_when_consistency_goes_over_to_unconfident_faces(
    published: NDArray[np.float64],
) -> None:
    ours = rates(TrainingPlan(EPOCHS, weight_decay=0.0))
    turned = EPOCHS // 2
    assert ours[turned:].sum() / ours.sum() > 0.25
    assert published[turned:].sum() / published.sum() < 0.002


def test_consistency_weighs_confident_faces_first_and_unconfident_ones_last() -> None:
    shares = [(epoch_of(epoch / EPOCHS, EPOCHS) + 1) / EPOCHS for epoch in (0, 49)]
    assert shares == [0.02, 1.0]
    confident = torch.tensor([1.0, 0.7])
    weights = torch.stack([self_calibration(confident, (epoch + 1) / EPOCHS) for epoch in (0, 9, 24, 49)])
    expected = torch.tensor([[0.98, 0.692], [0.8, 0.62], [0.5, 0.5], [0.0, 0.3]])
    torch.testing.assert_close(weights, expected)


# Examples 14 and 15

LABELS = torch.tensor([0, 1, 0, 1, -1, -1, -1, -1])
IMAGES = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def told() -> CAL:
    torch.manual_seed(0)
    made = CAL(Network(TinyBackbone(), 4), torch.Generator().manual_seed(0), cal.OFFICIAL)
    next(made.batches(LABELS.numpy(), np.random.default_rng(0)))
    return made


def pruned_to(count: int) -> UncountedCAL:
    """A learner whose last outputs were merged into the last that is left."""
    torch.manual_seed(0)
    network = Network(TinyBackbone(), 190)
    nn.init.normal_(network.head.weight)
    made = UncountedCAL(network, torch.Generator().manual_seed(0), uncounted_cal.OFFICIAL)
    next(made.batches(LABELS.numpy(), np.random.default_rng(0)))
    made.outputs.home[count:] = count - 1
    return made


def test_the_neck_has_no_shift() -> None:
    learner = told()
    optimiser = torch.optim.Adam([weight for weight in learner.parameters() if weight.requires_grad])
    for step in range(3):
        losses = learner.losses(Batch(IMAGES, LABELS, step / 50))
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert not learner.network.neck.bias.any()


def test_neither_who_teaches_nor_how_much_it_counts_carries_gradient() -> None:
    learner = told()
    weak, strong = torch.randn(2, 8, 4, generator=torch.Generator().manual_seed(0))
    weak.requires_grad_()
    losses = learner.from_logits(weak, strong.requires_grad_(), LABELS, learner.known)
    losses["consistency"].backward()  # type: ignore[no-untyped-call]
    assert weak.grad is None
    assert strong.grad is not None


def test_a_face_whose_output_stays_as_it_is_goes_to_it_or_to_one_that_was_merged() -> None:
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(500, 32, generator=rng)
    learner = pruned_to(190)
    weight = learner.network.head.weight
    with torch.no_grad():
        before = (features @ weight.T).argmax(dim=1)
        learner.outputs.count(before)
        rows = weight.clone()
        learner.outputs.prune(weight, learner.known, "mean")
        unchanged = (weight == rows).all(dim=1)
        logits = (features @ weight.T)[:, learner.outputs.in_use]
    after = learner.outputs.in_use[logits.argmax(dim=1)]
    stayed = torch.isin(before, learner.outputs.in_use) & unchanged[before]
    assert stayed.sum() > 50
    assert ((after == before) | ~unchanged[after])[stayed].all()


def training(learner: UncountedCAL) -> Training:
    adam = torch.optim.Adam(learner.parameters())
    return Training(learner, adam, torch.optim.lr_scheduler.StepLR(adam, 10))


def test_a_learner_of_37_outputs_goes_on_with_37(tmp_path: Path) -> None:
    learner = pruned_to(37)
    learner.losses(Batch(IMAGES, LABELS, 0.0))
    learner.state.copy_(torch.tensor([7.0, 0.61]))
    other = pruned_to(190)
    place = Resumption(tmp_path / "begun.safetensors", 1, {})
    training(learner).save(place, 7)
    assert training(other).resume(place) == 7
    first, second = (one.losses(Batch(IMAGES, LABELS, 7 / 50)) for one in (learner, other))
    assert {name: loss.item() for name, loss in first.items()} == {
        name: loss.item() for name, loss in second.items()
    }
    assert other.state[1] == learner.state[1]
    for one in (learner, other):
        one.settle()
        one.eval()
    logits = [one.network(IMAGES.float()).logits for one in (learner, other)]
    assert logits[0].shape == (8, 37)
    assert torch.equal(*logits)
