"""CAL's state over the epochs, and its batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from owcl.learners.base import Batch
from owcl.learners.cal import CAL, OFFICIAL, Recipe
from owcl.learners.consistency import epoch_of
from owcl.models.network import Network


class Channels(nn.Module):
    """A backbone whose map is the image itself, so that a face's logits follow its colours."""

    widths = (3,)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images]


LABELS = np.array([0] * 40 + [1] * 40 + [-1] * 80)


def learner(recipe: Recipe) -> CAL:
    torch.manual_seed(0)
    return CAL(Network(Channels(), 4), torch.Generator().manual_seed(0), recipe)


def step(cal: CAL, progress: float) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (160, 3, 8, 8), dtype=torch.uint8, generator=rng)
    return cal.losses(Batch(images, torch.from_numpy(LABELS), progress))


def test_confident_answers_begin_after_the_warm_up() -> None:
    cal = learner(Recipe())
    next(cal.batches(LABELS, np.random.default_rng(0)))
    assert "reinforcement" not in step(cal, 4.9 / 50)
    assert "reinforcement" in step(cal, 5 / 50)


@pytest.mark.parametrize("steps_an_epoch", [1, 2, 3, 7, 101])
def test_an_epoch_begins_with_its_first_step(steps_an_epoch: int) -> None:
    steps = 50 * steps_an_epoch
    epochs = [epoch_of(step / steps, 50) for step in range(steps)]
    assert epochs == [step // steps_an_epoch for step in range(steps)]


def test_a_threshold_is_that_of_the_epoch_before() -> None:
    cal = learner(Recipe(epochs=2))
    next(cal.batches(LABELS, np.random.default_rng(0)))
    step(cal, 0.0)
    step(cal, 0.4)
    assert cal.state.tolist() == [0, 0]
    cal.tally.copy_(torch.tensor([[0.8, 1.0], [0.6, 1.0]]))
    step(cal, 0.5)
    assert cal.state.tolist() == pytest.approx([1, 0.9 * 0.75])


@pytest.mark.parametrize(("recipe", "novel"), [(OFFICIAL, 1.2), (Recipe(), 0.9)])
def test_sure_novel_faces_are_shut_out_by_the_published_threshold_and_not_by_ours(
    recipe: Recipe, novel: float
) -> None:
    cal = learner(recipe)
    next(cal.batches(LABELS, np.random.default_rng(0)))
    step(cal, 0.1)
    cal.tally.copy_(torch.tensor([[0.6, 1.0], [0.8, 1.0]]))
    step(cal, 0.2)
    assert cal.state[1].item() == pytest.approx(novel)
    nearly_certain = torch.tensor([[0.0, 0.0, 9.0, 0.0]])
    losses = cal.from_logits(nearly_certain, nearly_certain, torch.tensor([-1]), cal.known)
    assert (losses["reinforcement"] > 0) == (novel < 1)


def test_beside_a_teacher_what_it_does_not_answer_with_is_novel_with_labels_too() -> None:
    torch.manual_seed(0)
    network, teacher = Network(Channels(), 4), Network(Channels(), 2)
    cal = CAL(network, torch.Generator().manual_seed(0), teacher=teacher)
    next(cal.batches(np.array([0, 1, 3, -1]), np.random.default_rng(0)))
    assert cal.known.tolist() == [True, True, False, False]


def test_a_checkpoint_holds_threshold_and_statistics() -> None:
    cal, other = learner(Recipe()), learner(Recipe())
    next(cal.batches(LABELS, np.random.default_rng(0)))
    for progress in (0.0, 0.1, 0.3):
        step(cal, progress)
    other.load_state_dict(cal.state_dict())
    assert torch.equal(other.tally, cal.tally)
    assert torch.equal(other.state, cal.state)
    assert other.known.tolist() == [True, True, False, False]


def test_published_batches_are_labelled_at_even_odds_with_replacement() -> None:
    rows = np.concatenate(
        [
            batch
            for batch, _ in zip(
                learner(OFFICIAL).batches(LABELS, np.random.default_rng(0)), range(200), strict=False
            )
        ]
    ).reshape(200, 128)
    labelled = (LABELS[rows] >= 0).sum(axis=1)
    assert labelled.mean() == pytest.approx(64, abs=1.5)
    assert labelled.std() == pytest.approx(np.sqrt(128) / 2, rel=0.2)
    assert any(len(np.unique(batch)) < 128 for batch in rows)


def test_ours_are_half_labelled_and_even_over_classes() -> None:
    rows = next(learner(Recipe()).batches(LABELS, np.random.default_rng(0)))
    assert [(LABELS[rows] == label).sum() for label in (-1, 0, 1)] == [64, 32, 32]


@pytest.mark.parametrize(("recipe", "weak_learns"), [(Recipe(), False), (OFFICIAL, True)])
def test_in_ours_the_view_that_teaches_is_left_as_it_is(recipe: Recipe, weak_learns: bool) -> None:
    cal = learner(replace(recipe, warm_up=0, threshold=0.0))
    next(cal.batches(LABELS, np.random.default_rng(0)))
    weak, strong = (
        torch.randn(160, 4, generator=torch.Generator().manual_seed(seed)).requires_grad_() for seed in (0, 1)
    )
    losses = cal.from_logits(weak, strong, torch.from_numpy(LABELS), cal.known)
    (losses["consistency"] + losses["reinforcement"]).backward()  # type: ignore[no-untyped-call]
    assert (weak.grad is not None) == weak_learns
    assert strong.grad is not None
    assert strong.grad.abs().sum() > 0
