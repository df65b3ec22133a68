"""MPSL against its formulas written out a second time, image by image, in numpy."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.testing import assert_close

from owcl.learners.base import UNLABELLED, Batch
from owcl.learners.mpsl import MPSL, OFFICIAL, Recipe
from owcl.models.network import Network

NUM_CLASSES, CHANNELS = 7, 6
OUR_VOTES = replace(Recipe(), entropy=1.0, smoothing=0.0)
"""Ours with the terms whose values the reference gives."""
Array = NDArray[np.float64]


class Written(NamedTuple):
    """What the specification says of a recipe, in its own numbers and not read from the recipe."""

    vote: str
    scales: tuple[int, ...]
    margin: float


PUBLISHED = Written("official", (3, 5, 7), 0.2)
OURS = Written("mutual_top1", (2, 3, 4), 0.0)


class Painted(nn.Module):
    """Makes a map of an image's mean colour, so that shifted and mirrored views of plain images agree."""

    widths = (CHANNELS,)

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        self.hidden = nn.Linear(3, 32)
        self.paint = nn.Linear(32, CHANNELS * side * side)

    def forward(self, images: Tensor) -> list[Tensor]:
        colours = torch.sin(6 * self.hidden(images.mean(dim=(2, 3))))
        return [self.paint(colours).relu().unflatten(1, (CHANNELS, self.side, self.side))]


def _network(side: int, seed: int = 0) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(Painted(side), NUM_CLASSES)
        nn.init.normal_(network.head.weight)
    return network.train()


def _batch(seed: int = 0, num_unlabelled: int = 20) -> Batch:
    """Return plain images in mixed order; no two labelled ones share a class, so that chance has no say."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.arange(4), torch.full((num_unlabelled,), UNLABELLED)])
    colours = torch.randint(0, 256, (len(labels), 3, 1, 1), dtype=torch.uint8, generator=rng)
    order = torch.randperm(len(labels), generator=rng)
    return Batch(colours.expand(-1, -1, 16, 16)[order], labels[order])


def _learner(network: Network, recipe: Recipe) -> MPSL:
    return MPSL(network, torch.Generator().manual_seed(1), recipe)


# The reference


def _unit(vector: Array) -> Array:
    norm = np.linalg.norm(vector)
    return vector / norm if norm else vector


def _standard(features: Array) -> Array:
    result: Array = (features - features.mean(axis=0)) / np.sqrt(features.var(axis=0) + 1e-5)
    return result


def _local(maps: Array, cells: int) -> Array:
    side = maps.shape[2]
    stride = side // cells
    window = side - (cells - 1) * stride
    corners = [(stride * row, stride * column) for row in range(cells) for column in range(cells)]
    patches = [maps[:, :, y : y + window, x : x + window].mean(axis=(2, 3)) for y, x in corners]
    patches = [_standard(patch) for patch in patches]
    weights = np.sqrt(sum((patch**2).sum(axis=1) for patch in patches))
    seen = np.zeros((len(maps), len(maps)))
    for patch in patches:
        for i, j in np.ndindex(*seen.shape):
            seen[i, j] += np.linalg.norm(patch[i]) / weights[i] * (_unit(patch[i]) @ _unit(patch[j]))
    return seen


def _details(maps: Array) -> list[Array]:
    odd = maps.shape[2] % 2
    maps = np.pad(maps, ((0, 0), (0, 0), (0, odd), (0, odd)))
    seen = np.zeros((3, len(maps), len(maps)))
    for y, x in np.ndindex(maps.shape[2] // 2, maps.shape[3] // 2):
        (a, b), (c, d) = maps[:, :, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].transpose(2, 3, 0, 1)
        for band, detail in enumerate([a + b - c - d, a - b + c - d, a - b - c + d]):
            directions = np.stack([_unit(row) for row in detail])
            seen[band] += directions @ directions.T
    # A sum of products is symmetric only up to rounding, and the official vote looks for equal values.
    return [(band + band.T) / 2 for band in seen]


def _nearest(seen: Array, i: int) -> int:
    return max((j for j in range(len(seen)) if j != i), key=lambda j: seen[i, j])


def _vote(rule: str, seen_globally: Array, seen: Array, i: int) -> bool:
    neighbour = _nearest(seen_globally, i)
    if rule == "mutual_top1":
        return _nearest(seen, i) == neighbour
    return bool(np.sort(seen[i])[-2] >= np.sort(seen[:, neighbour])[-2])


def _expected(network: Network, batch: Batch, written: Written) -> tuple[dict[str, float], float]:
    """Return the losses that chance has no say in, and the share of unlabelled faces with any vote."""
    with torch.no_grad():
        maps = network.backbone(batch.images.float() / 127.5 - 1)[0].double().numpy()
    pooled = _standard(maps.mean(axis=(2, 3)))
    logits = pooled @ network.head.weight.detach().double().numpy().T
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    directions = np.stack([_unit(row) for row in pooled])
    seen_globally = directions @ directions.T
    bands, scales = _details(maps), [_local(maps, cells) for cells in written.scales]
    pairs, cross_entropies, voted = [], [], []
    for i, label in enumerate(batch.labels.tolist()):
        partner = i
        if label == UNLABELLED:
            by_band = any(_vote(written.vote, seen_globally, seen, i) for seen in bands)
            by_scale = any(_vote(written.vote, seen_globally, seen, i) for seen in scales)
            partner = _nearest(seen_globally, i) if by_band and by_scale else i
            voted.append(by_band or by_scale)
        else:
            helped = logits[i] + written.margin * (np.arange(NUM_CLASSES) == label)
            cross_entropies.append(np.log(np.exp(helped).sum()) - helped[label])
        pairs.append(-np.log(shares[i] @ shares[partner]))
    mean = shares.mean(axis=0)
    losses = {
        "cross_entropy": np.mean(cross_entropies),
        "pairs": 0.5 * np.mean(pairs),
        "entropy": (mean * np.log(mean)).sum(),
    }
    return {name: float(loss) for name, loss in losses.items()}, float(np.mean(voted))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("recipe", "written", "side"),
    [
        (OFFICIAL, PUBLISHED, 8),
        (OUR_VOTES, OURS, 4),
        (replace(OUR_VOTES, vote="official"), OURS._replace(vote="official"), 5),
    ],
)
def test_losses_agree_with_the_formulas_written_out(
    recipe: Recipe, written: Written, side: int, seed: int
) -> None:
    network, batch = _network(side, seed), _batch(seed)
    expected, _ = _expected(network, batch, written)
    losses = _learner(network, recipe).losses(batch)
    assert {name: losses[name].item() for name in expected} == pytest.approx(expected, abs=2e-5)


def test_an_undecided_head_costs_what_can_be_worked_out_by_hand() -> None:
    network = _network(8)
    nn.init.zeros_(network.head.weight)
    losses = _learner(network, OFFICIAL).losses(_batch())
    # Every prediction is 1/7, whatever pseudo-label is drawn its confidence is 1/7 and its surprise log 7.
    log = math.log(NUM_CLASSES)
    expected = {
        "cross_entropy": math.log(NUM_CLASSES - 1 + math.exp(0.2)) - 0.2,
        "pairs": 0.5 * log,
        "pseudo_labels": 0.5 * log / NUM_CLASSES,
        "entropy": -log,
    }
    assert {name: loss.item() for name, loss in losses.items()} == pytest.approx(expected, abs=1e-5)


def test_pseudo_labels_are_for_faces_with_any_vote() -> None:
    network, batch = _network(4), _batch(num_unlabelled=30)
    nn.init.zeros_(network.head.weight)
    _, share = _expected(network, batch, OURS)
    assert 0 < share < 1
    loss = _learner(network, Recipe()).losses(batch)["pseudo_labels"].item()
    assert loss == pytest.approx(0.5 * share * math.log(NUM_CLASSES) / NUM_CLASSES, abs=1e-6)


def test_in_the_released_code_the_confidence_carries_gradient_too() -> None:
    carried = _gradients(OFFICIAL) - _gradients(replace(OFFICIAL, confidence_gradient=False))
    # CE w (e_k - p) of the drawn class k, halved, and divided by the 20 unlabelled faces.
    step = 0.5 / 20 * math.log(NUM_CLASSES) / NUM_CLASSES
    expected = torch.tensor([-step / NUM_CLASSES] * (NUM_CLASSES - 1) + [step * (1 - 1 / NUM_CLASSES)])
    assert_close(carried[4:].sort(dim=1).values, expected.expand(20, -1), atol=1e-6, rtol=0)
    assert not carried[:4].any()


def _gradients(recipe: Recipe) -> Tensor:
    """Return how the pseudo-label loss pulls at the logits of an undecided head, labelled faces first."""
    network = _network(8)
    nn.init.zeros_(network.head.weight)
    logits: list[Tensor] = []
    network.head.register_forward_hook(lambda _head, _inputs, output: logits.append(output))
    loss = _learner(network, recipe).losses(_batch())["pseudo_labels"]
    (gradients,) = torch.autograd.grad(loss, logits[0])
    return gradients


def test_losses_do_not_depend_on_the_order_of_the_batch() -> None:
    network, batch = _network(8), _batch()
    order = torch.randperm(len(batch.labels), generator=torch.Generator().manual_seed(9))
    shuffled = Batch(batch.images[order], batch.labels[order])
    losses, again = _learner(network, OFFICIAL).losses(batch), _learner(network, OFFICIAL).losses(shuffled)
    for name in ("cross_entropy", "pairs", "entropy"):
        assert losses[name].item() == pytest.approx(again[name].item(), abs=1e-5)


def test_the_choice_of_pairs_leaves_the_gradient_to_the_predictions() -> None:
    network = _network(8)
    nn.init.zeros_(network.head.weight)
    pairs = _learner(network, OFFICIAL).losses(_batch())["pairs"]
    pairs.backward()  # type: ignore[no-untyped-call]
    # Nothing reaches the backbone but through the head, and this head passes nothing on.
    gradients = [weight.grad for weight in network.backbone.parameters()]
    assert all(gradient is not None and not gradient.any() for gradient in gradients)


def test_equal_sources_of_randomness_give_equal_losses() -> None:
    first = _learner(_network(8), OFFICIAL).losses(_batch())
    second = _learner(_network(8), OFFICIAL).losses(_batch())
    assert {name: loss.item() for name, loss in first.items()} == {
        name: loss.item() for name, loss in second.items()
    }


def test_a_teacher_is_followed_but_not_trained() -> None:
    teacher, batch = _network(4, seed=5), _batch()
    learner = MPSL(_network(4), torch.Generator().manual_seed(1), teacher=teacher)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    torch.stack(list(learner.losses(batch).values())).sum().backward()  # type: ignore[no-untyped-call]
    assert learner.losses(batch)["distillation"] > 0
    assert all(weight.grad is None for weight in teacher.parameters())
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert not {id(weight) for weight in learner.parameters()} & {
        id(weight) for weight in teacher.parameters()
    }


def test_batches_are_half_labelled_and_balanced(rng: np.random.Generator) -> None:
    labels = np.concatenate(
        [np.repeat(np.arange(8), [90, 10, 40, 40, 25, 70, 12, 33]), np.full(400, UNLABELLED)]
    )
    batches = _learner(_network(4), OFFICIAL).batches(labels, rng)
    for _ in range(10):
        drawn = labels[next(batches)]
        assert (drawn == UNLABELLED).sum() == 64
        assert np.bincount(drawn[drawn >= 0]).tolist() == [8] * 8
