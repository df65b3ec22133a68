"""What every learner does: it learns a small stream, names its losses, and leaves its teacher alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from owcl.errors import NotFound
from owcl.learners.base import UNLABELLED, Batch, Taught
from owcl.learners.cal import CAL
from owcl.learners.registry import (
    LEARNERS,
    NEED_LABELS,
    PUBLISHED,
    REPRODUCED,
    learner_named,
    reproduced,
)
from owcl.learners.strategy import ContinualStrategy, TrainingPlan, is_fast_in_bfloat16
from owcl.models.backbones import build_backbone
from owcl.models.embed import embed
from owcl.models.network import Network, with_outputs
from scenarios.streams import FaceDataset, single_experience

NUM_KNOWN, NUM_CLASSES, EACH = 3, 5, 60


class TinyBackbone(nn.Module):
    """Two strided convolutions; enough for stripes of different widths."""

    widths = (16, 32)

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU())

    def forward(self, images: Tensor) -> list[Tensor]:
        first = self.first(images)
        return [first, self.second(first)]


def striped(rng: np.random.Generator) -> tuple[Tensor, np.ndarray]:
    """Faces of five methods, each with stripes of its own period and direction over noise."""
    truth = np.repeat(np.arange(NUM_CLASSES), EACH)
    row, column = np.mgrid[:16, :16]
    angles = np.array([row, column, row + column, 2 * row, 2 * column])
    waves = np.cos(np.pi / 2 * angles[truth] + rng.uniform(0, 2 * np.pi, (len(truth), 1, 1)))
    images = 128 + 40 * waves[:, None] + 20 * rng.standard_normal((len(truth), 3, 16, 16))
    return torch.from_numpy(np.clip(images, 0, 255).astype(np.uint8)), truth


class Stream:
    """A network that knows three methods, and faces of five of which the last two have no labels."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.images, self.truth = striped(rng)
        self.test, _ = striped(rng)
        torch.manual_seed(0)
        network = Network(TinyBackbone(), NUM_KNOWN)
        known = self.truth < NUM_KNOWN
        first = LEARNERS["supervised"](network, torch.Generator().manual_seed(0), None)
        learn(first, self.images[torch.from_numpy(known)], self.truth[known], 40)
        self.network = network
        remembered = known & (np.arange(len(self.truth)) % 2 == 0)
        self.labels = np.where(remembered, self.truth, UNLABELLED)

    def grown(self) -> Network:
        rng = torch.Generator().manual_seed(1)
        return with_outputs(self.network, range(NUM_KNOWN), range(NUM_CLASSES), rng)

    def accuracies(self, network: Network) -> tuple[float, float]:
        """Known accuracy as the outputs are, novel accuracy after the better of two assignments."""
        answers = embed(network, self.test.numpy())[1].argmax(axis=1)
        known = self.truth < NUM_KNOWN
        swapped = np.where(self.truth == 3, 4, 3)
        novel = max((answers == truth)[~known].mean() for truth in (self.truth, swapped))
        return float((answers == self.truth)[known].mean()), float(novel)

    def share_in_new_outputs(self, network: Network) -> float:
        answers = embed(network, self.test.numpy())[1].argmax(axis=1)
        return float((answers >= NUM_KNOWN)[self.truth >= NUM_KNOWN].mean())


def learn(learner: nn.Module, images: Tensor, labels: np.ndarray, steps: int) -> None:
    strategy = ContinualStrategy(
        learner=learner, plan=TrainingPlan(steps, 5e-3), rng=np.random.default_rng(0)
    )
    strategy.train(single_experience(FaceDataset(images, labels)), eval_streams=[])


@pytest.fixture(scope="module")
def stream() -> Stream:
    return Stream()


@pytest.mark.parametrize("name", LEARNERS)
def test_what_is_labelled_is_learned_beside_unlabelled_faces(stream: Stream, name: str) -> None:
    network = stream.grown()
    learner = LEARNERS[name](network, torch.Generator().manual_seed(2), stream.network)
    # As after a discovery: half of the new faces have labels by now.
    found = (stream.truth >= NUM_KNOWN) & (np.arange(len(stream.truth)) % 2 == 0)
    learn(learner, stream.images, np.where(found, stream.truth, stream.labels), 60)  # type: ignore[arg-type]
    known, novel = stream.accuracies(network)
    assert known > 0.85
    assert novel > 0.8


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_recipes_move_faces_that_nobody_labelled_to_new_outputs(stream: Stream, name: str) -> None:
    network = stream.grown()
    assert stream.share_in_new_outputs(network) == 0
    learner = PUBLISHED[name](network, torch.Generator().manual_seed(2), None)
    learn(learner, stream.images, stream.labels, 120)  # type: ignore[arg-type]
    assert stream.accuracies(network)[0] > 0.9
    assert stream.share_in_new_outputs(network) > 0.6


@pytest.mark.parametrize("name", REPRODUCED)
def test_on_published_benchmarks_an_epoch_ends_with_a_batch_of_what_is_left(
    stream: Stream, name: str
) -> None:
    learner = reproduced(name, 50)(stream.grown(), torch.Generator().manual_seed(2), None)
    batches = learner.batches(stream.labels, np.random.default_rng(0))
    rows = [next(batches) for _ in range(6)]
    assert [len(batch) for batch in rows] == [128, 128, 44] * 2
    pairs = []
    for batch in rows[1:3]:
        losses = learner.losses(Batch(stream.images[batch], torch.from_numpy(stream.labels[batch]), 0.5))
        assert all(torch.isfinite(loss) for loss in losses.values())
        pairs.append(float(losses.get("pairs", torch.tensor(0.0)).detach()))
    # As released, pairs count in full batches only.
    assert (pairs[0] > 0) == (name in ("cpl", "mpsl"))
    assert pairs[1] == 0


@pytest.mark.parametrize("name", ["cal", "cal_uncounted"])
@pytest.mark.parametrize("epochs", [50, 8])
def test_an_epoch_of_cal_is_one_of_the_training_however_many_there_are(
    stream: Stream, name: str, epochs: int
) -> None:
    learner = reproduced(name, epochs)(stream.grown(), torch.Generator().manual_seed(2), None)
    assert isinstance(learner, CAL)
    counted = []
    for step in range(3 * epochs):
        learner.begin(step / (3 * epochs))
        counted.append(int(learner.state[0]))
    assert counted == [step // 3 for step in range(3 * epochs)]


@pytest.mark.parametrize("name", LEARNERS)
def test_losses_have_names_and_carry_gradient_and_the_teacher_stays_as_it_is(
    stream: Stream, name: str
) -> None:
    teacher, network = copy.deepcopy(stream.network), stream.grown()
    before = copy.deepcopy(teacher.state_dict())
    learner = LEARNERS[name](network, torch.Generator().manual_seed(2), teacher)
    labels = stream.truth if name in NEED_LABELS else stream.labels
    rows = next(learner.batches(labels, np.random.default_rng(0)))
    assert len(rows) == 128
    losses = learner.losses(Batch(stream.images[rows], torch.from_numpy(labels[rows]), 0.5))
    assert "cross_entropy" in losses
    assert all(loss.ndim == 0 and torch.isfinite(loss) for loss in losses.values())
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is not None for weight in network.head.parameters())
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())
    assert all(weight.grad is None for weight in teacher.parameters())


@pytest.mark.parametrize("name", ["cpl", "mpsl", "cal", "simgcd", "happy"])
def test_only_faces_of_its_own_classes_are_held_to_a_teacher(stream: Stream, name: str) -> None:
    def distillation(labels: np.ndarray) -> float:
        network = stream.grown().train()
        learner = LEARNERS[name](network, torch.Generator().manual_seed(2), stream.network)
        batch = Batch(stream.images[rows], torch.from_numpy(labels[rows]), 0.5)
        return float(learner.losses(batch)["distillation"].detach())

    # As after a discovery: the last two of the five classes are new to the teacher, and have labels.
    rows = np.arange(EACH // 2, NUM_CLASSES * EACH, 4)
    discovered = np.where(stream.truth < NUM_KNOWN, UNLABELLED, stream.truth)
    assert distillation(stream.labels) > 0
    assert distillation(discovered) == 0


@pytest.mark.parametrize("name", ["cpl", "mpsl"])
def test_three_quarters_of_a_batch_are_labelled_and_balanced(stream: Stream, name: str) -> None:
    learner = LEARNERS[name](stream.grown(), torch.Generator().manual_seed(2), None)
    batches = learner.batches(stream.labels, np.random.default_rng(0))
    for _ in range(5):
        drawn = stream.labels[next(batches)]
        assert (drawn == UNLABELLED).sum() == 32
        assert np.bincount(drawn[drawn >= 0]).tolist() == [32] * NUM_KNOWN


@pytest.mark.parametrize("name", LEARNERS)
def test_the_same_seed_learns_the_same(stream: Stream, name: str) -> None:
    logits = []
    for _ in range(2):
        network = stream.grown()
        learner = LEARNERS[name](network, torch.Generator().manual_seed(3), stream.network)
        labels = stream.truth if name in NEED_LABELS else stream.labels
        learn(learner, stream.images, labels, 3)  # type: ignore[arg-type]
        logits.append(embed(network, stream.test.numpy())[1])
    np.testing.assert_array_equal(logits[0], logits[1])


def test_progress_is_told_every_loss_by_name(stream: Stream) -> None:
    told: list[tuple[int, int, dict[str, float]]] = []
    network = stream.grown()
    strategy = ContinualStrategy(
        learner=LEARNERS["cpl"](network, torch.Generator().manual_seed(2), None),
        plan=TrainingPlan(2),
        rng=np.random.default_rng(0),
        progress=lambda step, steps, losses: told.append((step, steps, losses)),
    )
    strategy.train(single_experience(FaceDataset(stream.images, stream.labels)), eval_streams=[])
    assert [(step, steps) for step, steps, _ in told] == [(1, 2), (2, 2)]
    assert set(told[0][2]) == {"cross_entropy", "pairs", "pseudo_labels", "entropy"}
    assert told[0][2]["entropy"] < 0 < told[0][2]["cross_entropy"]


def test_only_the_faces_of_a_batch_are_read_when_it_is_due(stream: Stream) -> None:
    class Watched(FaceDataset):
        def __getitem__(self, row: int) -> tuple[Tensor, int]:
            read.append(row)
            return super().__getitem__(row)

    read: list[int] = []
    after_steps = []
    strategy = ContinualStrategy(
        learner=LEARNERS["cpl"](stream.grown(), torch.Generator().manual_seed(2), None),
        plan=TrainingPlan(3),
        rng=np.random.default_rng(0),
        progress=lambda *_: after_steps.append(len(read)),
    )
    strategy.train(single_experience(Watched(stream.images, stream.labels)), eval_streams=[])
    # The next batch is gathered while a step is computed, and none after the last.
    assert after_steps == [256, 384, 384]


def test_a_device_that_nobody_asked_computes_in_float32() -> None:
    assert not is_fast_in_bfloat16(torch.device("meta"))


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(
        NotFound, match=r"learner 'magic': there is none of that name\. Choose one of cpl, mpsl"
    ):
        learner_named("magic")


def test_a_teacher_is_where_its_learner_is() -> None:
    # The meta device stands for another one than the processor, which every machine has.
    network, teacher = (
        Network(build_backbone("forensic_small"), 2),
        Network(build_backbone("forensic_small"), 2),
    )
    learner = Taught(network, torch.Generator(), teacher)
    assert learner.teacher.head.weight.device.type == "cpu"
    learner.to("meta")
    assert learner.teacher.head.weight.device.type == "meta"
