"""An over-complete head: which outputs stay, what moves with them, and that it is all in a checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, tensor

from owcl.learners import uncounted_cal
from owcl.learners.base import Batch
from owcl.learners.resuming import Resumption
from owcl.learners.strategy import ContinualStrategy, TrainingPlan
from owcl.learners.uncounted_cal import Outputs, Recipe, UncountedCAL
from owcl.models.embed import embed
from owcl.models.network import Network
from scenarios.streams import FaceDataset, single_experience
from tests.learners.test_cal import Channels
from tests.learners.test_learners import TinyBackbone, striped

KNOWN = tensor([True, False, False, False, False, False])
ROWS = tensor([[5.0, 5.0], [2.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-0.3, 0.4], [0.6, 0.1]])


@pytest.fixture
def outputs() -> Outputs:
    """Of six outputs of which the first is known, as often used as in the merge example of CAL."""
    made = Outputs(6)
    for output, times in enumerate([500, 300, 40, 650, 6, 4]):
        made.count(torch.full((times,), output))
    return made


def test_a_row_keeps_its_place_and_takes_in_what_is_merged_into_it(outputs: Outputs) -> None:
    weight = ROWS.clone()
    outputs.prune(weight, KNOWN, "unit")
    assert outputs.in_use.tolist() == [0, 1, 2, 3, 4]
    assert outputs.home.tolist() == [0, 1, 2, 3, 4, 1]
    torch.testing.assert_close(weight[1], tensor([0.999261, 0.038433]), atol=1e-6, rtol=0)
    assert torch.equal(weight[[0, 2, 3, 4, 5]], ROWS[[0, 2, 3, 4, 5]])


def test_ours_gives_a_merged_row_the_mean_length(outputs: Outputs) -> None:
    weight = ROWS.clone()
    outputs.prune(weight, KNOWN, "mean")
    length = (2 + ROWS[5].norm()) / 2
    torch.testing.assert_close(weight[1], length * tensor([0.999261, 0.038433]), atol=1e-6, rtol=0)


def test_what_was_merged_moves_on_with_its_row(outputs: Outputs) -> None:
    weight = ROWS.clone()
    outputs.prune(weight, KNOWN, "mean")
    outputs.usage.zero_()
    outputs.count(tensor([3] * 96 + [4] * 2 + [1] + [2]))
    outputs.prune(weight, KNOWN, "mean")
    assert outputs.in_use.tolist() == [0, 3, 4]
    assert outputs.home.tolist() == [0, 3, 4, 3, 4, 3]


def test_where_every_output_is_known_none_goes(outputs: Outputs) -> None:
    weight = ROWS.clone()
    outputs.prune(weight, torch.ones(6, dtype=torch.bool), "mean")
    assert torch.equal(weight, ROWS)
    assert len(outputs.in_use) == 6


def test_an_output_that_answers_for_too_few_faces_is_left_out_in_the_end(outputs: Outputs) -> None:
    assert outputs.worth_keeping(KNOWN, 0.01).tolist() == [0, 1, 2, 3]
    assert outputs.worth_keeping(KNOWN, 0.0).tolist() == [0, 1, 2, 3, 4, 5]
    assert outputs.worth_keeping(KNOWN, 0.9).tolist() == [0]


LABELS = np.array([0] * 40 + [1] * 40 + [-1] * 80)


def learner(recipe: Recipe, num_classes: int = 20) -> UncountedCAL:
    torch.manual_seed(0)
    made = UncountedCAL(Network(Channels(), num_classes), torch.Generator().manual_seed(0), recipe)
    next(made.batches(LABELS, np.random.default_rng(0)))
    return made


def step(cal: UncountedCAL, progress: float) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (160, 3, 8, 8), dtype=torch.uint8, generator=rng)
    return cal.losses(Batch(images, torch.from_numpy(LABELS), progress))


@pytest.mark.parametrize(("recipe", "first"), [(uncounted_cal.OFFICIAL, 1), (Recipe(), 4)])
def test_outputs_go_after_an_epoch_and_ours_waits_until_they_have_learned(recipe: Recipe, first: int) -> None:
    cal = learner(recipe)
    cal.outputs.usage[2] = 10_000
    for epoch in range(first):
        step(cal, epoch / 50)
        cal.outputs.usage[2] = 10_000
        assert len(cal.outputs.in_use) == 20
    step(cal, first / 50)
    assert len(cal.outputs.in_use) < 20


def test_outputs_that_are_gone_learn_nothing_and_known_ones_stay_to_the_last_bit() -> None:
    cal = learner(uncounted_cal.OFFICIAL)
    step(cal, 0.0)
    cal.outputs.usage[2] = 10_000
    before = cal.network.head.weight.detach().clone()
    losses = step(cal, 1 / 50)
    gone = np.setdiff1d(np.arange(20), cal.outputs.in_use)
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    gradient = cal.network.head.weight.grad
    assert gradient is not None
    assert len(gone) > 10
    assert not gradient[gone].any()
    assert torch.equal(cal.network.head.weight[:2], before[:2])


def test_labels_are_of_the_outputs_that_they_were_of(rng: np.random.Generator) -> None:
    """Whatever has gone between labelled outputs, faces of a class are pulled towards their own."""
    cal = learner(Recipe(entropy=0.0, consistency=0.0, warm_up=50))
    cal.known[[0, 1]] = False
    cal.known[[4, 9]] = True
    cal.outputs.home[[1, 2, 3, 5]] = 6
    logits = torch.zeros(2, 20)
    logits[0, 4], logits[1, 9] = 50.0, 50.0
    losses = cal.from_logits(logits, logits, tensor([4, 9]), cal.known)
    assert losses["cross_entropy"].item() == pytest.approx(0.0, abs=1e-6)


def test_settled_the_head_has_only_the_outputs_in_use() -> None:
    cal = learner(uncounted_cal.OFFICIAL)
    cal.outputs.home[5:] = 3
    weight = cal.network.head.weight.detach().clone()
    cal.settle()
    assert torch.equal(cal.network.head.weight, weight[:5])


def test_ours_may_find_nothing_new() -> None:
    cal = learner(Recipe())
    cal.outputs.usage[:2] = 100
    cal.settle()
    assert cal.network.num_classes == 2


def trained(place: Resumption | None, killed: int | None) -> tuple[UncountedCAL, int]:
    """Train on two labelled methods and three others with ten outputs for each labelled one."""
    images, truth = striped(np.random.default_rng(0))
    torch.manual_seed(0)
    learning = UncountedCAL(
        Network(TinyBackbone(), 20), torch.Generator().manual_seed(2), uncounted_cal.OFFICIAL
    )
    steps = []

    def progress(step: int, steps_in_all: int, losses: dict[str, float]) -> None:
        steps.append(step)
        if step == killed:
            raise KeyboardInterrupt

    strategy = ContinualStrategy(
        learner=learning,
        plan=TrainingPlan(50, 5e-3),
        rng=np.random.default_rng(3),
        progress=progress,
        resumption=place,
    )
    labels = np.where(truth < 2, truth, -1)
    try:
        strategy.train(single_experience(FaceDataset(images, labels)), eval_streams=[])
    except KeyboardInterrupt:
        assert killed is not None
    return learning, len(steps)


def test_interrupted_with_some_outputs_gone_it_comes_to_the_same_weights(tmp_path: Path) -> None:
    place = Resumption(tmp_path / "begun.safetensors", 10, {})
    whole, _ = trained(None, None)
    begun, _ = trained(place, killed=45)
    resumed, taken = trained(place, None)
    assert taken == 10
    assert 2 < len(begun.outputs.in_use) < 20
    assert torch.equal(resumed.outputs.home, whole.outputs.home)
    assert torch.equal(resumed.state, whole.state)
    images, _ = striped(np.random.default_rng(1))
    for one in (whole, resumed):
        one.settle()
    np.testing.assert_array_equal(*(embed(one.network, images.numpy())[1] for one in (whole, resumed)))
