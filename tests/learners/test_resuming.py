"""A training that is interrupted and goes on is the training that was never interrupted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from owcl.errors import BadInput, Conflict
from owcl.learners.registry import LEARNERS, NEED_LABELS, PUBLISHED
from owcl.learners.resuming import Resumption
from owcl.learners.strategy import ContinualStrategy, TrainingPlan
from owcl.models.network import Network
from scenarios.streams import FaceDataset, single_experience
from tests.learners.test_learners import Stream

STEPS, EVERY, KILLED = 7, 2, 5
ONE_CYCLE = TrainingPlan(STEPS)
AS_PUBLISHED = TrainingPlan(STEPS, decay=(3, 0.5))


@pytest.fixture(scope="module")
def stream() -> Stream:
    return Stream()


def trained(
    stream: Stream, name: str, plan: TrainingPlan, place: Resumption | None = None, killed: int | None = None
) -> tuple[Network, int]:
    """Return the network and how many steps were taken."""
    taken = []

    def progress(step: int, steps: int, losses: dict[str, float]) -> None:
        taken.append(step)
        if step == killed:
            raise KeyboardInterrupt

    network = stream.grown()
    learner = (LEARNERS | PUBLISHED)[name](network, torch.Generator().manual_seed(2), stream.network)
    strategy = ContinualStrategy(
        learner=learner, plan=plan, rng=np.random.default_rng(3), progress=progress, resumption=place
    )
    labels = stream.truth if name in NEED_LABELS else stream.labels
    try:
        strategy.train(single_experience(FaceDataset(stream.images, labels)), eval_streams=[])
    except KeyboardInterrupt:
        assert killed is not None
    return network, len(taken)


@pytest.mark.parametrize("plan", [ONE_CYCLE, AS_PUBLISHED], ids=["one cycle", "as published"])
@pytest.mark.parametrize("name", ["cpl", "cal", "happy", "supervised"])
def test_it_comes_to_the_same_weights(name: str, plan: TrainingPlan, stream: Stream, tmp_path: Path) -> None:
    place = Resumption(tmp_path / "begun.safetensors", EVERY, {"seed": 0})
    whole, _ = trained(stream, name, plan)
    trained(stream, name, plan, place, killed=KILLED)
    resumed, steps = trained(stream, name, plan, place)
    assert steps == STEPS - KILLED // EVERY * EVERY
    for (weight, tensor), other in zip(
        whole.state_dict().items(), resumed.state_dict().values(), strict=True
    ):
        assert torch.equal(tensor, other), weight


def test_a_training_of_another_run_is_refused_and_kept(stream: Stream, tmp_path: Path) -> None:
    place = Resumption(tmp_path / "begun.safetensors", EVERY, {"epochs": 50, "seed": 0})
    trained(stream, "cpl", ONE_CYCLE, place, killed=KILLED)
    with pytest.raises(Conflict, match=r"began with other settings \(epochs\)"):
        trained(stream, "cpl", ONE_CYCLE, replace(place, run={"epochs": 5, "seed": 0}))
    assert place.path.exists()


def test_a_damaged_file_is_named(stream: Stream, tmp_path: Path) -> None:
    place = Resumption(tmp_path / "begun.safetensors", EVERY, {})
    place.path.write_bytes(b"half of")
    with pytest.raises(BadInput, match=r"begun\.safetensors: the interrupted training cannot be read"):
        trained(stream, "cpl", ONE_CYCLE, place)
