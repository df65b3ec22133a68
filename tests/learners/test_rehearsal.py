"""What replay keeps, and what stored answers keep beside it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from owcl.learners.base import UNLABELLED, Batch
from owcl.learners.rehearsal import DARK, Recipe, Rehearsal
from owcl.models.embed import embed
from owcl.models.network import Network
from tests.learners.test_learners import NUM_KNOWN, Stream, learn

RED, BLUE = (255, 0, 0), (0, 0, 255)
STEPS = 60


class Colours(nn.Module):
    """A backbone whose map is the image itself; no view changes a face of one colour."""

    widths = (3,)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images]


def colourful(rows: list[list[float]]) -> Network:
    network = Network(Colours(), len(rows))
    network.set_outputs(torch.tensor(rows))
    return network.eval()


def batch(*colours: tuple[int, int, int], labels: list[int]) -> Batch:
    images = torch.tensor(colours, dtype=torch.uint8)[:, :, None, None].expand(-1, 3, 8, 8)
    return Batch(images.contiguous(), torch.tensor(labels))


@pytest.fixture(scope="module")
def stream() -> Stream:
    return Stream()


@pytest.fixture(scope="module")
def trained(stream: Stream) -> dict[str, Network]:
    """The grown network after the new classes alone, after replay, and after replay with stored answers."""
    alone = np.where(stream.truth >= NUM_KNOWN, stream.truth, UNLABELLED)
    # As after a discovery: labels of the new faces, and the memory's of the known ones.
    both = np.where(stream.truth >= NUM_KNOWN, stream.truth, stream.labels)
    flavours = {"alone": (alone, Recipe()), "replay": (both, Recipe()), "dark": (both, DARK)}
    networks = {}
    for name, (labels, recipe) in flavours.items():
        networks[name] = stream.grown()
        rng = torch.Generator().manual_seed(2)
        learn(Rehearsal(networks[name], rng, recipe, stream.network), stream.images, labels, STEPS)
    return networks


def test_what_is_not_replayed_is_forgotten(stream: Stream, trained: dict[str, Network]) -> None:
    assert stream.accuracies(trained["alone"])[0] < 0.5
    for name in ("replay", "dark"):
        known, novel = stream.accuracies(trained[name])
        assert known > 0.95
        assert novel > 0.9


def test_stored_answers_keep_the_old_outputs_where_they_were(
    stream: Stream, trained: dict[str, Network]
) -> None:
    faces = stream.test[torch.from_numpy(stream.truth < NUM_KNOWN)].numpy()
    before = embed(stream.network, faces)[1]
    moved = {
        name: np.square(embed(network, faces)[1][:, :NUM_KNOWN] - before).mean()
        for name, network in trained.items()
    }
    assert moved["dark"] < 0.5 * moved["replay"]


def test_dark_is_of_faces_of_earlier_classes_and_their_outputs() -> None:
    teacher = colourful([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    network = colourful([[0.5, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    learner = Rehearsal(network, torch.Generator().manual_seed(0), DARK, teacher).eval()
    losses = learner.losses(batch(RED, BLUE, labels=[0, 2]))
    # Red is (1, -1, -1): it was (1, -1) and is (0.5, -1, -1); blue, of class 2, takes no part.
    of_red = math.log(1 + 2 * math.exp(-1.5))
    assert losses["dark"].item() == pytest.approx(0.3 * 0.25 / 2 + 0.5 * of_red, abs=1e-4)
    # Blue is (-0.5, -1, 1).
    of_blue = math.log(1 + math.exp(-1.5) + math.exp(-2))
    assert losses["cross_entropy"].item() == pytest.approx((of_red + of_blue) / 2, abs=1e-4)


def test_a_batch_without_earlier_classes_has_nothing_dark() -> None:
    teacher = colourful([[1.0, 0.0, 0.0]])
    network = colourful([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    learner = Rehearsal(network, torch.Generator().manual_seed(0), DARK, teacher).eval()
    assert set(learner.losses(batch(BLUE, BLUE, labels=[1, 1]))) == {"cross_entropy"}


@pytest.mark.parametrize("recipe", [Recipe(), DARK])
def test_batches_are_even_over_new_and_remembered_classes(recipe: Recipe) -> None:
    labels = np.array([0] * 3 + [1] * 50 + [UNLABELLED] * 20)
    learner = Rehearsal(colourful([[1.0, 0.0, 0.0]] * 2), torch.Generator().manual_seed(0), recipe)
    rows = next(learner.batches(labels, np.random.default_rng(0)))
    assert np.bincount(labels[rows]).tolist() == [64, 64]
