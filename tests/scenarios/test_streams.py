"""What a learner receives: pixels, anonymous ids, and never a hidden label."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scenarios import truth
from scenarios.streams import FaceDataset, benchmark, single_experience


def _dataset(count: int = 6, labels: np.ndarray | None = None) -> FaceDataset:
    images = torch.arange(count * 48, dtype=torch.int64).to(torch.uint8).reshape(count, 3, 4, 4)
    return FaceDataset(images, labels, np.arange(100, 100 + count))


def test_unlabelled_faces_carry_minus_one() -> None:
    experience = single_experience(_dataset())
    assert list(experience.dataset.targets) == [-1] * 6
    assert [experience.dataset[row][1] for row in range(6)] == [-1] * 6


def test_labelled_faces_carry_their_label() -> None:
    labels = np.array([0, 1, 0, 2, 1, 0])
    assert list(single_experience(_dataset(labels=labels)).dataset.targets) == labels.tolist()


def test_streams_have_an_experience_for_each_dataset() -> None:
    made = benchmark([_dataset(6, np.zeros(6, np.int64)), _dataset(4)], [_dataset(3)])
    assert [len(experience.dataset) for experience in made.train_stream] == [6, 4]
    assert list(made.test_stream[0].dataset.targets) == [-1] * 3


def test_nothing_that_is_reachable_from_an_unlabelled_experience_knows_a_method(forge64: Path) -> None:
    """Walk over everything that Python can reach from an experience, as a curious learner might."""
    from owcl.faces.load import Limits, LoadedFace, load_many
    from scenarios.folder import load

    schedule, key = load(forge64)
    paths = schedule.experiences[1].paths[:20]
    faces = [face for face in load_many(map(str, paths), 64, Limits()) if isinstance(face, LoadedFace)]
    pixels = torch.from_numpy(np.stack([face.pixels.transpose(2, 0, 1) for face in faces]))
    experience = single_experience(FaceDataset(pixels))
    texts, kinds = _reachable(experience)
    assert truth.AnswerKey not in kinds
    for method in key.methods:
        assert not any(method in text for text in texts if len(text) < 1000), method


@pytest.mark.parametrize("floor", ["learners", "novelty", "memory", "models"])
def test_what_learns_does_not_import_the_truth(floor: str) -> None:
    root = Path(__file__).parents[2] / "owcl" / floor
    assert not [path for path in root.rglob("*.py") if "truth import" in path.read_text()]


def _reachable(start: Any) -> tuple[list[str], set[type]]:
    """Return the texts and types of data that hang on an object; modules, classes and code are not data."""
    seen: set[int] = set()
    waiting, texts, kinds = [start], [], set()
    while waiting:
        thing = waiting.pop()
        if (
            id(thing) in seen
            or isinstance(thing, type)
            or type(thing).__name__ in ("module", "function", "code")
        ):
            continue
        seen.add(id(thing))
        kinds.add(type(thing))
        if isinstance(thing, str):
            texts.append(thing)
        elif isinstance(thing, Path):
            texts.append(str(thing))
        elif type(thing).__name__ != "builtin_function_or_method":
            waiting.extend(gc.get_referents(thing))
    return texts, kinds
