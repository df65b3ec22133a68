"""Schedules and faces as Avalanche streams: pixels and anonymous ids, and never a hidden label."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

with warnings.catch_warnings():
    # Libraries that Avalanche brings along warn of their own future at import.
    warnings.simplefilter("ignore")
    from avalanche.benchmarks import benchmark_from_datasets
    from avalanche.benchmarks.utils import as_classification_dataset

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
    """Return an Avalanche benchmark with a train stream of one experience for each dataset given."""
    streams = {"train": [as_classification_dataset(dataset) for dataset in train]}
    if test:
        streams["test"] = [as_classification_dataset(dataset) for dataset in test]
    return benchmark_from_datasets(**streams)


def single_experience(dataset: FaceDataset) -> Any:
    """Return an Avalanche experience of one dataset's faces."""
    return benchmark([dataset]).train_stream[0]
