"""Experiences from a seed: which faces come when, decided by their files alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from owcl.errors import BadInput

logger = logging.getLogger(__name__)

REAL = "real"


@dataclass(frozen=True)
class Arrival:
    """One unlabelled experience."""

    novel: tuple[str, ...]
    """Methods that nobody has met before."""
    novel_per_class: int
    """Faces of each of them."""
    seen_per_class: int
    """Faces of each method met before, known or novel."""
    absent: tuple[str, ...] = ()
    """Methods met before that stay away this time."""
    known_per_class: int | None = None
    """Faces of each known method; none where it is `seen_per_class`."""


@dataclass(frozen=True)
class StreamPlan:
    """What a `stream.toml` says."""

    name: str
    image_size: int
    known: tuple[str, ...]
    arrivals: tuple[Arrival, ...]
    labelled_fraction: float
    """Of the training faces of a known method; the rest arrives unlabelled."""
    test_fraction: float
    """Of the faces of every method."""
    seed: int


@dataclass(frozen=True)
class FileEntry:
    """A face's file, and the photograph or video that it comes from, whoever forged it."""

    path: Path
    group: str


@dataclass(frozen=True)
class ScheduledExperience:
    """Files that arrive together."""

    index: int
    paths: tuple[Path, ...]
    labels: tuple[str, ...] | None
    """The methods' names in experience 0, none afterwards."""
    groups: tuple[str, ...] | None = None
    """Where the labelled files come from, as in `FileEntry`; none where they were drawn one by one."""


@dataclass(frozen=True)
class Schedule:
    """What the outside world will send, and when; it does not say what the unlabelled faces are."""

    name: str
    image_size: int
    known: tuple[str, ...]
    known_families: Mapping[str, str]
    experiences: tuple[ScheduledExperience, ...]
    test: tuple[Path, ...]


def draw(
    files: Mapping[str, Sequence[FileEntry]], plan: StreamPlan
) -> tuple[tuple[ScheduledExperience, ...], tuple[Path, ...]]:
    """Decide which file arrives when.

    Groups keep what is in a face from passing for who made it: a group is on one side of the test, over all
    methods, and the faces that one method made of it come in one experience. Faces of a group that come too
    late for theirs never arrive.

    Args:
        files: of every method of the plan.
        plan: its seed decides everything that is drawn.

    Returns:
        The experiences, shuffled inside, and the test files.

    Raises:
        BadInput: if a known method is left without a labelled face, or a novel one without any.
    """
    rng = np.random.default_rng(plan.seed)
    methods = [*plan.known, *(method for arrival in plan.arrivals for method in arrival.novel)]
    training, test = _divided({method: files[method] for method in methods}, plan.test_fraction, rng)
    labelled = []
    for method in plan.known:
        count = round(len(training[method]) * plan.labelled_fraction)
        taken = _take(training, method, count, "labelled experience")
        labelled += [(entry, method) for entry in taken]
    experiences = [_labelled_experience(labelled, rng)]
    met = list(plan.known)
    for index, arrival in enumerate(plan.arrivals, start=1):
        arriving = []
        for method in met:
            if method not in arrival.absent:
                arriving += _take(training, method, _expected(arrival, method in plan.known), None)
        for method in arrival.novel:
            arriving += _take(training, method, arrival.novel_per_class, f"experience {index}")
        met += arrival.novel
        order = rng.permutation(len(arriving))
        experiences.append(ScheduledExperience(index, tuple(arriving[row].path for row in order), None))
    return tuple(experiences), tuple(test)


def sensible_plan(name: str, counts: Mapping[str, int], image_size: int, seed: int) -> StreamPlan:
    """Plan a stream over methods of which nothing else is known.

    Half of the methods are known, `real` always among them; the others arrive one or two at a time; where
    there are three arrivals or more, one experience in the middle brings nothing new.

    Args:
        name: of the stream.
        counts: faces of each method.
        image_size: pixels a side.
        seed: shuffles the methods.

    Raises:
        BadInput: if there are fewer than three methods.
    """
    if len(counts) < 3:
        raise BadInput(
            f"{name}: {len(counts)} methods: {', '.join(counts)}. At least three folders are expected, two "
            "to know and one to discover. Add folders of faces."
        )
    rng = np.random.default_rng(seed)
    others = sorted(set(counts) - {REAL})
    shuffled = [others[index] for index in rng.permutation(len(others))]
    methods = [REAL] * (REAL in counts) + shuffled
    num_known = max(2, len(methods) // 2)
    waiting = methods[num_known:]
    groups: list[tuple[str, ...]] = []
    while waiting:
        size = min(int(rng.integers(1, 3)), len(waiting))
        groups.append(tuple(waiting[:size]))
        waiting = waiting[size:]
    if len(groups) >= 3:
        groups.insert(len(groups) // 2, ())
    smallest = min(counts.values())
    novel = max(1, int(smallest * 0.75 * 0.75))
    seen = max(1, int(smallest * 0.75 * 0.25 / len(groups)))
    arrivals = tuple(Arrival(group, novel, seen) for group in groups)
    return StreamPlan(name, image_size, tuple(methods[:num_known]), arrivals, 0.6, 0.25, seed)


def _divided(
    files: Mapping[str, Sequence[FileEntry]], fraction: float, rng: np.random.Generator
) -> tuple[dict[str, list[FileEntry]], list[Path]]:
    """Return each method's training faces, groups together and in random order, and the test files."""
    training: dict[str, list[FileEntry]] = {}
    test: list[Path] = []
    is_test: dict[str, bool] = {}
    for method, entries in files.items():
        by_group: dict[str, list[FileEntry]] = {group: [] for group in sorted({e.group for e in entries})}
        for entry in entries:
            by_group[entry.group].append(entry)
        groups = list(by_group)
        shuffled = [groups[row] for row in rng.permutation(len(groups))]
        # Methods that came before have decided about the groups that they share with this one.
        missing = round(len(entries) * fraction) - sum(is_test.get(entry.group, False) for entry in entries)
        training[method] = []
        for group in shuffled:
            if group not in is_test:
                is_test[group] = missing > 0
                missing -= len(by_group[group])
            if is_test[group]:
                test += [entry.path for entry in by_group[group]]
            else:
                training[method] += by_group[group]
    return training, test


def _take(
    training: dict[str, list[FileEntry]], method: str, count: int, needed_for: str | None
) -> list[FileEntry]:
    taken, left = training[method][:count], training[method][count:]
    begun = {entry.group for entry in taken}
    training[method] = [entry for entry in left if entry.group not in begun]
    if needed_for is not None and not taken:
        raise BadInput(
            f'stream: no face of "{method}" is left for the {needed_for}. At least one is needed. Add faces '
            "or lower the numbers in stream.toml."
        )
    if len(taken) < count:
        logger.warning('"%s": %d faces were planned, %d are left', method, count, len(taken))
    return taken


def _expected(arrival: Arrival, is_known: bool) -> int:
    """Return how many faces of a method that was met before arrive."""
    if is_known and arrival.known_per_class is not None:
        return arrival.known_per_class
    return arrival.seen_per_class


def _labelled_experience(
    labelled: list[tuple[FileEntry, str]], rng: np.random.Generator
) -> ScheduledExperience:
    shuffled = [labelled[row] for row in rng.permutation(len(labelled))]
    return ScheduledExperience(
        0,
        tuple(entry.path for entry, _ in shuffled),
        tuple(method for _, method in shuffled),
        tuple(entry.group for entry, _ in shuffled),
    )
