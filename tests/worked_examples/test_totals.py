"""The published presets of CAL and CPL come to the totals of their specifications, by their own losses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn, tensor

from owcl.learners import cal, cpl
from owcl.learners.base import Batch
from owcl.learners.cal import CAL
from owcl.learners.cpl import CPL
from owcl.models.network import Network
from tests.worked_examples.test_cal import STRONG, WEAK
from tests.worked_examples.test_cpl import FOUR, NOISE, SLOPE


class Given(nn.Module):
    """A backbone that answers with maps that were written down, in turn."""

    def __init__(self, maps: Sequence[Tensor]) -> None:
        super().__init__()
        self.maps = maps
        self.widths = (maps[0].shape[1],)
        self.asked = 0

    def forward(self, images: Tensor) -> list[Tensor]:
        self.asked += 1
        return [self.maps[(self.asked - 1) % len(self.maps)]]


def network_of(maps: Sequence[Tensor], num_classes: int) -> Network:
    """A network whose logits are the first channels of the given maps' means, to the last digit."""
    network = Network(Given(maps), num_classes).eval()
    network.neck.eps = 0.0
    with torch.no_grad():
        network.head.weight.copy_(torch.eye(num_classes, maps[0].shape[1]))
    return network


def batch(labels: list[int], progress: float = 0.0) -> Batch:
    return Batch(torch.zeros(len(labels), 3, 8, 8, dtype=torch.uint8), tensor(labels), progress)


# Of CAL, examples 1 to 6

LABELS = [0, 1, -1, -1, -1, -1]


@pytest.fixture
def official() -> CAL:
    network = network_of([WEAK[:, :, None, None], STRONG[:, :, None, None]], 4)
    learner = CAL(network, torch.Generator().manual_seed(0), cal.OFFICIAL)
    next(learner.batches(np.array(LABELS), np.random.default_rng(0)))
    return learner


def test_official_cal_comes_to_the_total_of_its_example(official: CAL) -> None:
    # The threshold of epoch 9 is that of the statistics of epoch 8.
    official.losses(batch(LABELS, 8 / 50))
    losses = {name: loss.item() for name, loss in official.losses(batch(LABELS, 9 / 50)).items()}
    assert losses == pytest.approx(
        {
            "cross_entropy": 0.269617,
            "entropy": 0.025738,
            "consistency": 0.2 * 0.465824,
            "reinforcement": 0.239671,
        },
        abs=1e-6,
    )
    assert sum(losses.values()) == pytest.approx(0.628192, abs=2e-6)
    assert sum(losses.values()) - losses["reinforcement"] == pytest.approx(0.388520, abs=2e-6)


@pytest.mark.parametrize(
    ("epoch", "consistency"), [(0, 0.561483), (9, 0.465824), (24, 0.306393), (49, 0.040673)]
)
def test_official_cal_goes_over_to_unconfident_faces_epoch_by_epoch(
    official: CAL, epoch: int, consistency: float
) -> None:
    losses = official.losses(batch(LABELS, epoch / 50))
    assert losses["consistency"].item() == pytest.approx(0.2 * consistency, abs=1e-6)
    assert ("reinforcement" in losses) == (epoch >= 5)


# Of CPL, examples 4 to 7


def paired(logits: Tensor, groups: list[int]) -> Network:
    """A network with these logits, whose many other channels say at every place which faces are alike."""
    alike = 100 * torch.eye(2)[groups].repeat(1, 1000)
    channels = torch.cat([logits, alike], dim=1)
    return network_of([channels[:, :, None, None].expand(-1, -1, 3, 3)], logits.shape[1])


def test_official_cpl_comes_to_the_total_of_its_example(monkeypatch: pytest.MonkeyPatch) -> None:
    # The example takes pairs and entropy from four faces: 0 and 2 choose each other, 3 chooses 1, which is
    # alone in its class and here comes first. The other two terms are of a labelled face and two that are
    # not, of which one has a vote.
    rng = torch.Generator().manual_seed(0)
    four = CPL(paired(FOUR[[1, 0, 2, 3]], [1, 0, 0, 1]), rng, cpl.OFFICIAL)
    of_four = four.losses(batch([1, -1, -1, -1]))
    monkeypatch.setattr(cpl, "gumbel_noise", lambda *_: NOISE)
    three = CPL(paired(SLOPE.expand(3, -1), [0, 0, 1]), rng, cpl.OFFICIAL)
    of_three = three.losses(batch([0, -1, -1]))
    found = {name: of_four[name].item() for name in ("pairs", "entropy")}
    found |= {name: of_three[name].item() for name in ("cross_entropy", "pseudo_labels")}
    expected = {
        "pairs": 0.5 * 0.817333,
        "entropy": -1.069950,
        "cross_entropy": 0.345005,
        "pseudo_labels": 0.5 * 0.307574,
    }
    assert found == pytest.approx(expected, abs=1e-6)
    assert sum(found.values()) == pytest.approx(-0.162491, abs=2e-6)
