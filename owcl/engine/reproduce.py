"""`owcl reproduce`: a published recipe on its own benchmark, beside the published row."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from owcl.engine.workspace import Report, silent
from owcl.errors import BadInput
from owcl.evaluation.accuracy import known_novel_all
from owcl.evaluation.agreement import agreement
from owcl.faces.load import Limits, LoadedFace, load_many
from owcl.learners.base import UNLABELLED
from owcl.learners.registry import PUBLISHED
from owcl.learners.resuming import Resumption
from owcl.learners.strategy import ContinualStrategy, TrainingPlan
from owcl.models.backbones import build_backbone
from owcl.models.embed import embed
from owcl.models.network import Network
from scenarios.layouts.benchmark import Protocol, Split, offline, read_faces, read_protocol
from scenarios.streams import FaceDataset, single_experience

BATCH = 128
DROPOUT = 0.2
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
    """Of the backbone: `pretrained`, a safetensors file, or random ones."""
    image_size: int | None = None
    epochs: int | None = None


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
    """Train a published recipe on its benchmark, with the true number of classes, and write the table.

    Training is written down after every epoch; interrupted, it goes on there when it is run again.

    Args:
        asked: the benchmark, where it is, and what is not to be as published.
        output: folder for `<name>.json` and `<name>.md`, and for the training as long as it lasts.
        report: told of progress.

    Raises:
        NotFound: if there is no such benchmark.
        BadInput: if it is not at `root`, or not all of it, or there is no such recipe.
        Conflict: if a training that was begun in this folder had other settings.
    """
    protocol = read_protocol(asked.name)
    learner = asked.learner or protocol.learner
    if learner not in PUBLISHED:
        raise BadInput(f"reproduce: no published recipe {learner!r}. Choose one of {', '.join(PUBLISHED)}.")
    if not asked.root.is_dir():
        raise BadInput(
            f"{asked.root}: the data of {asked.name} is not there. It is not ours to ship: ask its authors "
            "for it, unpack it, and name its folder with --root."
        )
    schedule, key = offline(protocol, read_faces(protocol, asked.root, asked.split), protocol.seed)
    size = asked.image_size or protocol.image_size
    first, later = schedule.experiences
    labelled, kept = _read(first.paths, size, "labelled", report)
    unlabelled, _ = _read(later.paths, size, "unlabelled", report)
    test, tested = _read(schedule.test, size, "test", report)
    truth = key.numbers(schedule.test)[tested]
    labels = np.concatenate([key.numbers(first.paths)[kept], np.full(len(unlabelled), UNLABELLED)])
    begun = output / f"{asked.name}.training.safetensors"
    images = np.concatenate([labelled, unlabelled])
    network = _trained(asked, protocol, learner, images, labels, begun, report)
    predicted = embed(network.cpu(), test)[1].argmax(axis=1)
    result = Reproduction(
        asked.name,
        _deviations(asked, protocol),
        {"labelled": len(labelled), "unlabelled": len(unlabelled), "test": len(test)},
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


def _trained(
    asked: Asked,
    protocol: Protocol,
    learner: str,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    begun: Path,
    report: Report,
) -> Network:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    epoch = math.ceil(len(images) / BATCH)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(protocol.seed)
        backbone = build_backbone(asked.backbone or protocol.backbone, asked.weights)
        network = Network(backbone, len(protocol.classes), DROPOUT)
    every, factor = protocol.decay
    plan = TrainingPlan(
        steps=epoch * (asked.epochs or protocol.epochs),
        learning_rate=protocol.learning_rate,
        weight_decay=protocol.weight_decay,
        decay=(round(every * epoch), factor),
    )
    strategy = ContinualStrategy(
        learner=PUBLISHED[learner](network, torch.Generator().manual_seed(protocol.seed), None),
        plan=plan,
        rng=np.random.default_rng(protocol.seed),
        device=device,
        progress=lambda step, steps, _: report(f"training {learner}", step, steps),
        resumption=Resumption(begun, epoch, _settings(asked, learner, labels)),
    )
    strategy.train(single_experience(FaceDataset(torch.from_numpy(images), labels)), eval_streams=[])
    return network


def _settings(asked: Asked, learner: str, labels: NDArray[np.int64]) -> dict[str, Any]:
    """Return what two runs of a benchmark may differ in, as plain values."""
    choices = {name: value for name, value in vars(asked).items() if name not in ("root", "learner")}
    faces = hashlib.sha256(labels.tobytes()).hexdigest()
    return {**choices, "learner": learner, "faces": faces}


def _deviations(asked: Asked, protocol: Protocol) -> tuple[str, ...]:
    changed = {
        "split": (asked.split, "official"),
        "learner": (asked.learner or protocol.learner, protocol.learner),
        "backbone": (asked.backbone or protocol.backbone, protocol.backbone),
        "weights": (asked.weights or "random", "pretrained"),
        "image size": (asked.image_size or protocol.image_size, protocol.image_size),
        "epochs": (asked.epochs or protocol.epochs, protocol.epochs),
    }
    return tuple(
        f"{what}: {ours}, not {theirs}" for what, (ours, theirs) in changed.items() if ours != theirs
    )


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
