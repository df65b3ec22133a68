"""A published benchmark: its classes in a fixed order, its faces as a stream, and the published recipes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np

from owcl.errors import NotFound
from scenarios.schedule import Schedule, ScheduledExperience
from scenarios.truth import AnswerKey

NAMES = ("owdfa-p1", "owdfa-p2", "owdfa40-p1", "owdfa40-p2", "owdfa40-p3")
Split = Literal["official", "grouped"]
"""Frames drawn one by one, as published; or whole videos."""


@dataclass(frozen=True)
class BenchmarkClass:
    """One class, and where its faces are in the published layout."""

    name: str
    family: str
    known: bool
    method: str = ""
    """Of OW-DFA's annotation."""
    source: str = ""
    """Of OW-DFA's annotation."""
    folders: Sequence[str] = ()
    """Of OWDFA-40."""


@dataclass(frozen=True)
class Protocol:
    """What a benchmark's file says."""

    name: str
    layout: Literal["owdfa", "owdfa40"]
    learner: str
    """Of the published row."""
    image_size: int
    seed: int
    """Of the split."""
    classes: Sequence[BenchmarkClass]
    published: Mapping[str, float]
    """The published row, in percent."""

    @property
    def known(self) -> tuple[str, ...]:
        """Names of the classes with labels, in order."""
        return tuple(each.name for each in self.classes if each.known)

    @property
    def novel(self) -> tuple[str, ...]:
        """Names of the others, in order."""
        return tuple(each.name for each in self.classes if not each.known)


@dataclass(frozen=True)
class Recipe:
    """How a learner was trained for its published tables."""

    backbone: str
    weights: str
    epochs: int
    learning_rate: float
    weight_decay: float
    decay: Sequence[float]
    """Epochs between two steps of the learning rate, and the factor of each."""
    seed: int


@dataclass
class Faces:
    """Files by class, in the three parts of every benchmark."""

    labelled: dict[str, list[Path]] = field(default_factory=dict)
    unlabelled: dict[str, list[Path]] = field(default_factory=dict)
    test: dict[str, list[Path]] = field(default_factory=dict)
    groups: dict[Path, str] = field(default_factory=dict)
    """What each file is drawn with: its video, or itself where it has none and in the official split."""


def read_protocol(name: str) -> Protocol:
    """Return a benchmark's protocol by name.

    Raises:
        NotFound: if there is none of that name.
    """
    if name not in NAMES:
        raise NotFound(f"benchmark {name!r}: there is none of that name. Choose one of {', '.join(NAMES)}.")
    values = _read(f"{name}.toml")
    classes = [BenchmarkClass(**each) for each in values.pop("classes")]
    return Protocol(name, classes=classes, **values)


def read_recipe(learner: str) -> Recipe:
    """Return how a learner was trained for its published tables.

    Raises:
        NotFound: if it is none of those that were published on these benchmarks.
    """
    recipes = _read("recipes.toml")
    if learner not in recipes:
        raise NotFound(f"learner {learner!r}: no published recipe. Choose one of {', '.join(recipes)}.")
    return Recipe(**recipes[learner])


def _read(file: str) -> dict[str, Any]:
    return tomllib.loads((resources.files("scenarios") / "benchmarks" / file).read_text(encoding="utf-8"))


def read_faces(protocol: Protocol, root: Path, split: Split = "official") -> Faces:
    """Read a benchmark's faces from its published tree.

    Raises:
        BadInput: if a class folder, an annotation or a column is missing.
    """
    from scenarios.layouts import owdfa, owdfa40

    read = owdfa.read if protocol.layout == "owdfa" else owdfa40.read
    return read(protocol, root, split)


def offline(protocol: Protocol, faces: Faces, seed: int) -> tuple[Schedule, AnswerKey]:
    """Return the labelled faces, then all others at once, as the published tables have it."""
    return _stream(protocol, faces, [protocol.novel], seed)


def continual(protocol: Protocol, faces: Faces, seed: int) -> tuple[Schedule, AnswerKey]:
    """Return the labelled faces, then one family of novel methods after another, among all met before.

    The groups of a method's unlabelled faces are spread evenly over the experiences from its arrival on.
    """
    family_of = {each.name: each.family for each in protocol.classes}
    families = list(dict.fromkeys(family_of[name] for name in protocol.novel))
    arrivals = [tuple(name for name in protocol.novel if family_of[name] == family) for family in families]
    return _stream(protocol, faces, arrivals, seed)


def _stream(
    protocol: Protocol, faces: Faces, arrivals: Sequence[tuple[str, ...]], seed: int
) -> tuple[Schedule, AnswerKey]:
    rng = np.random.default_rng(seed)
    first = [(path, name) for name in protocol.known for path in faces.labelled[name]]
    order = rng.permutation(len(first)).tolist()
    labelled = tuple(first[row][0] for row in order)
    labels = tuple(first[row][1] for row in order)
    origins = tuple(faces.groups[path] for path in labelled)
    experiences = [ScheduledExperience(0, labelled, labels, origins)]
    arriving: list[list[Path]] = [[] for _ in arrivals]
    since = {name: 0 for name in protocol.known}
    since |= {name: index for index, group in enumerate(arrivals) for name in group}
    for name, start in since.items():
        by_group: dict[str, list[Path]] = {}
        for path in faces.unlabelled[name]:
            by_group.setdefault(faces.groups[path], []).append(path)
        groups = list(by_group.values())
        dealt = [groups[row] for row in rng.permutation(len(groups)).tolist()]
        for index in range(start, len(arrivals)):
            for paths in dealt[index - start :: len(arrivals) - start]:
                arriving[index] += paths
    for index, paths in enumerate(arriving, start=1):
        shuffled = [paths[row] for row in rng.permutation(len(paths)).tolist()]
        experiences.append(ScheduledExperience(index, tuple(shuffled), None))
    families = {each.name: each.family for each in protocol.classes}
    parts = (faces.labelled, faces.unlabelled, faces.test)
    method_of = {path: name for part in parts for name, paths in part.items() for path in paths}
    test = tuple(path for paths in faces.test.values() for path in paths)
    known_families = {name: families[name] for name in protocol.known}
    schedule = Schedule(
        protocol.name, protocol.image_size, protocol.known, known_families, tuple(experiences), test
    )
    methods = (*protocol.known, *(name for group in arrivals for name in group))
    return schedule, AnswerKey(method_of, methods, (protocol.known, *arrivals), families)
