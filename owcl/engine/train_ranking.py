"""`owcl train --task ranking`: edited faces to a model that says where and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from owcl.engine.journal import journalled
from owcl.engine.learning import learn
from owcl.engine.ranking_model import Images, RankingModel
from owcl.engine.workspace import Report, Workspace, silent
from owcl.errors import BadInput
from owcl.evaluation import sequences
from owcl.faces.load import LoadedFace, load_mask, stacked
from owcl.learners.component_order import ordered_subsets
from owcl.learners.ranking import DEFAULT_RECIPE, Ranking, Recipe, recipe_named
from owcl.learners.strategy import TrainingPlan
from owcl.models.backbones import build_backbone
from owcl.models.localiser import Localiser
from owcl.models.randomness import seeded
from owcl.types import Quarantined
from scenarios.layouts.seqdeepfake import SPLITS, EditedFace, read
from scenarios.streams import FaceDataset
from storage import models

SHORT = 3
"""Edits up to which the order is also reported by itself."""
LEARNING_RATE = 2e-3
HEAT_THRESHOLDS = np.linspace(0.05, 0.95, 19)


@dataclass(frozen=True)
class RankingResult:
    """What came of training."""

    model_version: int
    faces: dict[str, int]
    """By split."""
    test: dict[str, float]
    """Figures on the test split, in [0, 1]; `floor_*` is what the right components in random order score."""
    quarantined: int


@dataclass(frozen=True)
class _Split:
    """Faces of one split that could be read."""

    images: Images
    rows: NDArray[np.int64]
    masks: NDArray[np.bool_] | None


@journalled("train_ranking")
def train_ranking(
    workspace: Workspace,
    folder: Path,
    track: str | None = None,
    report: Report = silent,
    recipe: str | None = None,
) -> RankingResult:
    """Learn whether, where and in which order faces were edited.

    Args:
        workspace: keeps the model, beside those that attribute.
        folder: a tree in the layout of Seq-DeepFake, with masks if there are any.
        track: of the tree; may be left out where there is only one.
        report: told of progress.
        recipe: its name in `owcl.learners.ranking.RECIPES`; else the default.

    Raises:
        BadInput: if the tree cannot be used.
        NotFound: if there is no such recipe.
    """
    chosen = recipe_named(recipe or DEFAULT_RECIPE)
    tree = read(folder, track)
    read_splits = {split: _read_split(workspace, tree.splits[split], split, report) for split in SPLITS}
    train, validation, test = (read_splits[split] for split in SPLITS)
    network = _trained(workspace, train, len(tree.labels), report, chosen)
    model = _calibrated(RankingModel(network, tree.labels, chosen.cuts, chosen.temperature), validation)
    found = figures(model, test)
    weights = workspace.next_weights()
    model.save(workspace.root / weights, workspace.configuration.model.backbone)
    with workspace.store.transaction() as transaction:
        settings = workspace.configuration.model_dump()
        version = models.add(transaction, weights, settings, (), found, task="ranking")
    sizes = {split: len(read_splits[split].rows) for split in SPLITS}
    asked = sum(len(faces) for faces in tree.splits.values())
    return RankingResult(version, sizes, found, asked - sum(sizes.values()))


def figures(model: RankingModel, faces: _Split) -> dict[str, float]:
    """Return how well a model does, every figure in [0, 1]."""
    found = model.locate(faces.images)
    forged = faces.rows[:, 0] > 0
    lengths = (faces.rows > 0).sum(axis=1)
    short = forged & (lengths <= SHORT)
    values = {
        "auroc": float(roc_auc_score(forged, found.gaps)),
        "accuracy": float(((found.probabilities >= model.threshold) == forged).mean()),
        "component_f1": sequences.component_f1(faces.rows, found.rows),
        "fixed": sequences.fixed_accuracy(faces.rows, found.rows),
        "adaptive": sequences.adaptive_accuracy(faces.rows, found.rows),
        "exact": sequences.exact_accuracy(faces.rows, found.rows),
        "exact_short": sequences.exact_accuracy(faces.rows[short], found.rows[short]),
    }
    values |= {f"floor_{name}": floor for name, floor in sequences.random_order(faces.rows).items()}
    if faces.masks is not None:
        hot = found.heat[forged] >= model.heat_threshold
        values["heat_iou"] = float(sequences.overlap(faces.masks[forged], hot).mean())
    return values


def _read_split(workspace: Workspace, edited: Sequence[EditedFace], split: str, report: Report) -> _Split:
    readable = list(_readable(workspace, edited, split, report))
    rows = np.array([face.row for face, _, _ in readable], np.int64)
    if not len(rows) or not 0 < (rows[:, 0] > 0).sum() < len(rows):
        raise BadInput(
            f"{split}: {len(rows)} readable faces, not both genuine and edited ones. Both are expected in "
            "every split. Check the tree."
        )
    masks = [mask for _, _, mask in readable if mask is not None]
    images = stacked([loaded for _, loaded, _ in readable], workspace.configuration.faces.image_size)
    return _Split(images, rows, np.stack(masks) if masks else None)


def _readable(
    workspace: Workspace, edited: Sequence[EditedFace], split: str, report: Report
) -> Iterator[tuple[EditedFace, LoadedFace, NDArray[np.bool_] | None]]:
    """Yield the faces that can be read, with their masks if all have one; a bad mask sets its face aside."""
    masked = all(face.mask is not None and face.mask.is_file() for face in edited)
    everything = zip(edited, workspace.loaded(str(face.path) for face in edited), strict=True)
    for done, (face, loaded) in enumerate(everything, start=1):
        report(f"reading {split} faces", done, len(edited))
        if isinstance(loaded, Quarantined):
            continue
        mask = load_mask(face.mask, loaded, workspace.limits()) if masked and face.mask else None
        if not isinstance(mask, Quarantined):
            yield face, loaded, mask


def _trained(
    workspace: Workspace, faces: _Split, components: int, report: Report, recipe: Recipe
) -> Localiser:
    settings = workspace.configuration
    rng = workspace.rng("ranking", 0)
    seed = int(rng.integers(2**31))
    with seeded(seed):
        network = Localiser(
            build_backbone(settings.model.backbone, settings.model.weights or None), components
        )
    learner = Ranking(network, torch.Generator().manual_seed(seed), recipe)
    labels = {row: label for label, row in enumerate(ordered_subsets(components))}
    dataset = FaceDataset(
        torch.from_numpy(faces.images), np.array([labels[tuple(row)] for row in faces.rows.tolist()])
    )
    plan = TrainingPlan(settings.training.ranking_steps, LEARNING_RATE)
    learn(workspace, learner, plan, rng, dataset, report, "learning edits")
    return network.eval()


def _calibrated(model: RankingModel, faces: _Split) -> RankingModel:
    """Choose thresholds on validation faces: the best balanced accuracy, the best overlap of masks."""
    found = model.locate(faces.images)
    forged = faces.rows[:, 0] > 0
    false_alarms, hits, thresholds = roc_curve(forged, found.probabilities)
    threshold = float(min(thresholds[(hits - false_alarms).argmax()], 1.0))
    heat_threshold = model.heat_threshold
    if faces.masks is not None:
        overlaps = [
            sequences.overlap(faces.masks[forged], found.heat[forged] >= level).mean()
            for level in HEAT_THRESHOLDS
        ]
        heat_threshold = float(HEAT_THRESHOLDS[int(np.argmax(overlaps))])
    return replace(model, threshold=threshold, heat_threshold=heat_threshold)
