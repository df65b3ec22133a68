"""`owcl reproduce`: a published recipe on its own benchmark, beside the published row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from owcl.engine.workspace import Report, silent
from owcl.errors import BadInput
from owcl.evaluation.accuracy import known_novel_all
from owcl.evaluation.agreement import agreement
from owcl.evaluation.discovery import relative_count_error
from owcl.faces.load import Limits, LoadedFace, load_many
from owcl.learners.base import UNLABELLED
from owcl.learners.registry import UNCOUNTED, first_outputs, reproduced, settle
from owcl.learners.resuming import Resumption
from owcl.learners.sampling import epoch_sizes
from owcl.learners.strategy import ContinualStrategy, TrainingPlan
from owcl.models.backbones import build_backbone
from owcl.models.embed import embed
from owcl.models.network import Network
from owcl.models.randomness import seeded
from scenarios.layouts.benchmark import (
    Protocol,
    Recipe,
    Split,
    offline,
    read_faces,
    read_protocol,
    read_recipe,
)
from scenarios.schedule import Schedule
from scenarios.streams import FaceDataset, single_experience

BATCH = 128
DROPOUT = 0.2
RANDOM = "random"
"""Instead of weights that there are."""
ALWAYS = (
    "faces: the central square of each file, by area averaging, not crops by dlib, resized bilinearly",
    "split: drawn class by class from sorted names, not in the order of pandas or of a disk",
    "epoch: the last one, not the one that is best on the test",
)
STAGES = (
    "stages: the second one, the only one that is released, and nobody says which the published row includes",
)
RUNS = ("runs: one, not the mean of three",)
OF_LEARNER = {"cpl": STAGES, "mpsl": STAGES, "cal": RUNS, "cal_uncounted": RUNS}
"""What no run does as published."""
COLUMNS = ("all_acc", "all_nmi", "all_ari", "novel_acc", "novel_nmi", "novel_ari", "known_acc")
"""As the papers print them, in percent."""


@dataclass(frozen=True)
class Asked:
    """What is to be run; what is left out is as published."""

    name: str
    root: Path
    split: Split = "official"
    learner: str | None = None
    backbone: str | None = None
    weights: str | None = None
    """Of the backbone: `pretrained`, `random`, or a safetensors file."""
    image_size: int | None = None
    epochs: int | None = None


@dataclass(frozen=True)
class _Run:
    """What is run, with nothing left out."""

    split: Split
    learner: str
    backbone: str
    weights: str
    image_size: int
    epochs: int


@dataclass(frozen=True)
class Reproduction:
    """What came of it."""

    benchmark: str
    deviations: tuple[str, ...]
    """In what the run was not as published."""
    faces: Mapping[str, int]
    """`labelled`, `unlabelled` and `test`."""
    ours: Mapping[str, float]
    """In percent, at the last epoch; the official code keeps the epoch that is best on the test."""
    published: Mapping[str, float]


def reproduce(asked: Asked, output: Path, report: Report = silent) -> Reproduction:
    """Train a published recipe on its benchmark, and write the table.

    Training is written down after every epoch; interrupted, it goes on there when it is run again.

    Args:
        asked: the benchmark, where it is, and what is not to be as published.
        output: folder for `<name>.json` and `<name>.md`, and for the training as long as it lasts.
        report: told of progress.

    Raises:
        NotFound: if there is no such benchmark, or no such recipe.
        BadInput: if it is not at `root`, or not all of it.
        Conflict: if a training that was begun in this folder had other settings or faces.
    """
    protocol = read_protocol(asked.name)
    recipe = read_recipe(asked.learner or protocol.learner)
    published = _as_published(protocol, recipe)
    chosen = {name: value for name, value in vars(asked).items() if value is not None}
    run = replace(published, **{name: chosen[name] for name in vars(published).keys() & chosen})
    if not asked.root.is_dir():
        raise BadInput(
            f"{asked.root}: the data of {asked.name} is not there. It is not ours to ship: ask its authors "
            "for it, unpack it, and name its folder with --root."
        )
    # Before the faces, which take long: weights that cannot be had are said at once.
    outputs = first_outputs(run.learner, len(protocol.known), len(protocol.classes))
    network = _network(run, recipe, outputs)
    schedule, key = offline(protocol, read_faces(protocol, asked.root, run.split), protocol.seed)
    faces = _training_faces(schedule, key.numbers(schedule.experiences[0].paths), run.image_size, report)
    test, tested = _read(schedule.test, run.image_size, "test", report)
    truth = key.numbers(schedule.test)[tested]
    begun = output / f"{asked.name}.training.safetensors"
    _train(network, run, recipe, faces, begun, report)
    predicted = embed(network, test)[1].argmax(axis=1)
    result = Reproduction(
        asked.name,
        _deviations(run, published) + _count(network, run.learner, protocol),
        {**_sizes(faces), "test": len(test)},
        published_columns(truth, predicted, len(protocol.known)),
        protocol.published,
    )
    _write(result, output)
    begun.unlink(missing_ok=True)
    return result


def published_columns(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], num_known: int
) -> dict[str, float]:
    """Return the columns of the published tables in percent, by the matchings of the released code."""
    accuracies = known_novel_all(truth, predicted, num_known)
    novel = truth >= num_known
    values = {f"{name}_acc": value for name, value in accuracies.items()}
    for name, rows in (("all", np.ones_like(novel)), ("novel", novel)):
        found = agreement(truth[rows], predicted[rows])
        values |= {f"{name}_nmi": found["nmi"], f"{name}_ari": found["ari"]}
    return {column: round(100 * values[column], 2) for column in COLUMNS}


def _training_faces(schedule: Schedule, numbers: NDArray[np.int64], size: int, report: Report) -> FaceDataset:
    """Return the labelled faces, whose `(N,)` classes are told, then the others.

    They are joined here and nowhere else, since apart they take as much memory again.
    """
    first, later = schedule.experiences
    labelled, kept = _read(first.paths, size, "labelled", report)
    unlabelled, _ = _read(later.paths, size, "unlabelled", report)
    labels = np.concatenate([numbers[kept], np.full(len(unlabelled), UNLABELLED)])
    return FaceDataset(torch.from_numpy(np.concatenate([labelled, unlabelled])), labels)


def _sizes(faces: FaceDataset) -> dict[str, int]:
    unlabelled = faces.targets.count(UNLABELLED)
    return {"labelled": len(faces) - unlabelled, "unlabelled": unlabelled}


def _read(
    paths: Sequence[Path], size: int, what: str, report: Report
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the `(N, 3, size, size)` images that can be read, and the `(N,)` rows of their paths."""
    images = np.empty((len(paths), 3, size, size), np.uint8)
    rows: list[int] = []
    for row, face in enumerate(load_many(map(str, paths), size, Limits())):
        report(f"reading {what} faces", row + 1, len(paths))
        if isinstance(face, LoadedFace):
            images[len(rows)] = face.pixels.transpose(2, 0, 1)
            rows.append(row)
    if not rows:
        raise BadInput(f"{what} faces: none of {len(paths)} can be read. Unpack the archives again.")
    return images[: len(rows)], np.array(rows, np.int64)


def _as_published(protocol: Protocol, recipe: Recipe) -> _Run:
    return _Run(
        "official",
        protocol.learner,
        recipe.backbone,
        recipe.weights,
        protocol.image_size,
        recipe.epochs,
    )


def _network(run: _Run, recipe: Recipe, outputs: int) -> Network:
    weights = None if run.weights == RANDOM else run.weights
    with seeded(recipe.seed):
        return Network(build_backbone(run.backbone, weights), outputs, DROPOUT)


def _train(
    network: Network, run: _Run, recipe: Recipe, faces: FaceDataset, begun: Path, report: Report
) -> None:
    labels = np.asarray(faces.targets, np.int64)
    epoch = len(epoch_sizes(len(labels), BATCH))
    every, factor = recipe.decay
    plan = TrainingPlan(
        steps=epoch * run.epochs,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        decay=(round(every * epoch), factor),
        mixed_precision=False,
    )
    settings = {**vars(recipe), **vars(run), "faces": _fingerprint(faces.images.numpy(), labels)}
    build = reproduced(run.learner, run.epochs)
    learner = build(network, torch.Generator().manual_seed(recipe.seed), None)
    strategy = ContinualStrategy(
        learner=learner,
        plan=plan,
        rng=np.random.default_rng(recipe.seed),
        device="cuda" if torch.cuda.is_available() else "cpu",
        progress=lambda step, steps, _: report(f"training {run.learner}", step, steps),
        resumption=Resumption(begun, epoch, settings),
    )
    strategy.train(single_experience(faces), eval_streams=[])
    settle(learner)


def _fingerprint(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> str:
    """Return what only these faces have, wherever they are; to take it is nothing beside reading them."""
    content = hashlib.sha256(labels.tobytes())
    content.update(np.ascontiguousarray(images).data)
    return content.hexdigest()


def _deviations(run: _Run, published: _Run) -> tuple[str, ...]:
    theirs = vars(published)
    changed = [
        f"{name.replace('_', ' ')}: {ours}, not {theirs[name]}"
        for name, ours in vars(run).items()
        if ours != theirs[name]
    ]
    return (*changed, *ALWAYS, *OF_LEARNER[run.learner])


def _count(network: Network, learner: str, protocol: Protocol) -> tuple[str, ...]:
    """Say how many classes a learner found that was not told their number."""
    if learner not in UNCOUNTED:
        return ()
    found, true = network.num_classes, len(protocol.classes)
    off = relative_count_error(found, true, len(protocol.known))
    shares = f"{off['all']:.2%} off, {off['novel']:.2%} of the novel ones"
    return (f"number of classes: not told, {found} found of {true} ({shares})",)


def _write(result: Reproduction, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    plain = {
        "benchmark": result.benchmark,
        "deviations": result.deviations,
        "faces": dict(result.faces),
        "ours": dict(result.ours),
        "published": dict(result.published),
    }
    (output / f"{result.benchmark}.json").write_text(json.dumps(plain, indent=2), encoding="utf-8")
    rows = [
        "| | " + " | ".join(COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
        *(
            f"| {name} | " + " | ".join(f"{values[column]:.2f}" for column in COLUMNS) + " |"
            for name, values in (("this run", result.ours), ("published", result.published))
        ),
    ]
    notes = [f"- {deviation}" for deviation in result.deviations]
    text = "\n".join([f"# {result.benchmark}", "", *rows, "", *notes]).rstrip() + "\n"
    (output / f"{result.benchmark}.md").write_text(text, encoding="utf-8")
