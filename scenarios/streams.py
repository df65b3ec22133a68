"""Schedules and faces as Avalanche streams: pixels and anonymous ids, and never a hidden label."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from owcl.errors import BadInput
from owcl.faces.load import Limits, LoadedFace, load_many, stacked
from scenarios.schedule import Schedule

with warnings.catch_warnings():
    # Libraries that Avalanche brings along warn of their own future at import.
    warnings.simplefilter("ignore")
    from avalanche.benchmarks import benchmark_from_datasets
    from avalanche.benchmarks.utils import as_classification_dataset

logger = logging.getLogger(__name__)

UNLABELLED = -1


class FaceDataset(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """Faces as a learner may see them: pixels, an id, and a label only where somebody gave one.

    Avalanche reads `targets` in many places behind one's back, so for a face that nobody labelled it holds
    -1, and the truth is not here at all.

    Args:
        images: `(N, 3, H, W)` uint8.
        labels: `(N,)` outputs of the head; none for unlabelled faces.
        face_ids: `(N,)`; by default the row numbers.
    """

    def __init__(
        self,
        images: Tensor,
        labels: NDArray[np.int64] | None = None,
        face_ids: NDArray[np.int64] | None = None,
    ) -> None:
        self.images = images
        count = len(images)
        self.targets = [UNLABELLED] * count if labels is None else labels.tolist()
        # Without task labels Avalanche cannot collate what comes from different datasets.
        self.targets_task_labels = [0] * count
        self.face_ids = np.arange(count) if face_ids is None else face_ids

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return self.images[row], self.targets[row]


def benchmark(train: Sequence[FaceDataset], test: Sequence[FaceDataset] = ()) -> Any:
    """Return an Avalanche benchmark with a train stream of one experience for each dataset given.

    The dataset of an experience says which faces it holds, as `face_ids`.
    """
    streams = {"train": [_avalanche(dataset) for dataset in train]}
    if test:
        streams["test"] = [_avalanche(dataset) for dataset in test]
    return benchmark_from_datasets(**streams)


def scheduled_benchmark(schedule: Schedule) -> Any:
    """Return a schedule's Avalanche benchmark: experience 0 is labelled, all else is not, nor is the test.

    The faces are decoded at once and kept, `3 * image_size ** 2` bytes each: a path that is opened later
    would tell a learner the folder, and the folder is the method. The targets of experience 0 are positions
    in `schedule.known`. A face's id is its place among the files of all experiences in order, then those of
    the test; by it an evaluation finds the file again. Unreadable files are left out.

    Raises:
        BadInput: if none of the files that come together can be read.
    """
    outputs = {method: output for output, method in enumerate(schedule.known)}
    train, first_id = [], 0
    for experience in schedule.experiences:
        names = experience.labels
        labels = None if names is None else np.array([outputs[name] for name in names], np.int64)
        train.append(_decoded(experience.paths, labels, first_id, schedule.image_size))
        first_id += len(experience.paths)
    if not schedule.test:
        return benchmark(train)
    return benchmark(train, [_decoded(schedule.test, None, first_id, schedule.image_size)])


def single_experience(dataset: FaceDataset) -> Any:
    """Return an Avalanche experience of one dataset's faces."""
    return benchmark([dataset]).train_stream[0]


def pixels(dataset: Any, rows: Iterable[int] | None = None) -> Tensor:
    """Return the `(N, 3, H, W)` uint8 images of an experience's dataset, or of some of its rows."""
    return torch.stack([dataset[row][0] for row in (range(len(dataset)) if rows is None else rows)])


def joined(dataset: Any, images: Tensor, labels: NDArray[np.int64]) -> Any:
    """Return an experience's dataset with other faces behind its own, none of them copied.

    Args:
        dataset: of an experience.
        images: `(M, 3, H, W)` uint8.
        labels: `(M,)` outputs of the head.
    """
    return dataset.concat(as_classification_dataset(FaceDataset(images, labels)))


def _avalanche(dataset: FaceDataset) -> Any:
    return as_classification_dataset(dataset).update_data_attribute("face_ids", dataset.face_ids.tolist())


def _decoded(
    paths: Sequence[Path], labels: NDArray[np.int64] | None, first_id: int, size: int
) -> FaceDataset:
    faces, rows = [], []
    for row, face in enumerate(load_many(map(str, paths), size, Limits())):
        if isinstance(face, LoadedFace):
            faces.append(face)
            rows.append(row)
        else:
            logger.warning("%s: left out of the stream: %s", face.source, face.reason)
    if not faces:
        raise BadInput(
            f"stream: none of {len(paths)} faces that come together can be read. At least one is expected. "
            "Check the files of the scenario."
        )
    kept = np.array(rows)
    images = torch.from_numpy(stacked(faces, size))
    return FaceDataset(images, None if labels is None else labels[kept], first_id + kept)
