"""What was discovered: class by class, how many, how soon, and whether an id stays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from owcl.types import UNKNOWN

PURE = 0.8
RECALLED = 0.5
FUSED = 0.2


@dataclass(frozen=True)
class Discoveries:
    """Promoted classes against the novel methods that have arrived."""

    purity: dict[int, float]
    """Share of the largest method in each class."""
    majority: dict[int, int]
    """That method; -1 for a class without members."""
    discovered: frozenset[int]
    """Novel methods of which one class holds most, and little else."""
    fragments: dict[int, int]
    """Classes with the majority of each novel method."""
    fused: frozenset[int]
    """Classes in which a second method has a share of its own."""
    false: frozenset[int]
    """Classes whose majority is no novel method, or less than half."""
    precision: float
    """Share of the classes that discover a method."""
    recall: float
    """Share of the novel methods that are discovered."""

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN where nothing was to be found, and nothing was."""
        if not self.purity and not self.fragments:
            return math.nan
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    @property
    def fragmentation(self) -> float:
        """Mean number of classes of a discovered method; 1 is best, NaN where none is discovered."""
        counts = [self.fragments[method] for method in self.discovered]
        return float(np.mean(counts)) if counts else math.nan


def discoveries(
    members: Mapping[int, Mapping[int, int]],
    arrived: Mapping[int, int],
    at_birth: Mapping[int, Mapping[int, int]] | None = None,
) -> Discoveries:
    """Judge promoted classes.

    Args:
        members: for each class, how many of its faces each method made; known methods and junk included.
        arrived: novel methods that have arrived, and how many of their faces came in.
        at_birth: for each class, the same as it was when the class was promoted; else `arrived` for all.
    """
    came = at_birth or dict.fromkeys(members, arrived)
    shares = {class_id: _largest_two(counts) for class_id, counts in members.items()}
    majority = {class_id: method for class_id, (method, _, _) in shares.items()}
    purity = {class_id: first for class_id, (_, first, _) in shares.items()}
    discovering = {
        class_id: method
        for class_id, method in majority.items()
        if method in arrived
        and purity[class_id] >= PURE
        and members[class_id][method] >= RECALLED * came[class_id][method]
    }
    found = frozenset(discovering.values())
    return Discoveries(
        purity=purity,
        majority=majority,
        discovered=found,
        fragments={method: list(majority.values()).count(method) for method in arrived},
        fused=frozenset(class_id for class_id, (_, _, second) in shares.items() if second >= FUSED),
        false=frozenset(
            class_id for class_id in members if majority[class_id] not in arrived or purity[class_id] < 0.5
        ),
        precision=len(discovering) / len(members) if members else 0.0,
        recall=len(found) / len(arrived) if arrived else 0.0,
    )


def count_errors(
    estimates: Sequence[float], true: Sequence[int], ranges: Sequence[tuple[float, float]] = ()
) -> dict[str, float]:
    """Return how far estimated numbers of new classes are from the true ones, one an experience.

    Args:
        estimates: of each experience.
        true: of each experience.
        ranges: the interval of each estimate, ends included; none given, none judged.

    Returns:
        `signed` (more than there are is positive) and `mae`, in classes; `exact`, `within_one` and, with
        ranges, `in_range` as shares of the experiences. NaN where there is no experience.
    """
    errors = np.subtract(estimates, true, dtype=float)
    inside = [low <= count <= high for (low, high), count in zip(ranges, true, strict=False)]
    return {
        "signed": _mean(errors),
        "mae": _mean(np.abs(errors)),
        "exact": _mean(errors == 0),
        "within_one": _mean(np.abs(errors) <= 1),
        "in_range": _mean(inside),
    }


def count_mae(estimates: Sequence[float], true: Sequence[int]) -> float:
    """Return the mean absolute error of the numbers of new classes; NaN where there is no experience."""
    return count_errors(estimates, true)["mae"]


def relative_count_error(found: int, true: int, known: int) -> dict[str, float]:
    """Return how far a number of classes is from the true one, relative to `all` of them and to the `novel`.

    CAL prints the first, in which the known classes, which nobody has to count, hide most of the error.

    Args:
        found: number of classes, the known ones included.
        true: number of classes, above `known`.
        known: of them, those that have labels.
    """
    return {"all": abs(found - true) / true, "novel": abs(found - true) / (true - known)}


def false_new(created: int, experiences: int, faces: int) -> dict[str, float]:
    """Return rates of classes created on a stream in which nothing new arrives; NaN for an empty stream."""
    return {
        "per_100_experiences": 100 * created / experiences if experiences else math.nan,
        "per_1000_faces": 1000 * created / faces if faces else math.nan,
    }


@dataclass(frozen=True)
class Latency:
    """What passed between the first face of a method and its discovery; infinite if it never came."""

    faces: float
    """Faces of the method that came in, those of the experience of the discovery included."""
    experiences: float
    """0 for a discovery in the experience of the first face."""


def latency(faces: Sequence[int], promoted: int | None) -> Latency:
    """Return how long one method stayed undiscovered.

    Args:
        faces: of the method in each experience; at least one of them is not zero.
        promoted: the experience in which the class that discovers it was promoted.
    """
    if promoted is None:
        return Latency(math.inf, math.inf)
    first = int(np.flatnonzero(faces)[0])
    return Latency(float(sum(faces[: promoted + 1])), float(promoted - first))


def latency_summary(latencies: Sequence[Latency]) -> dict[str, float]:
    """Return lower medians and the share within one experience.

    The medians are infinite where more than half of the methods were never discovered.
    """
    waited = np.array([(one.faces, one.experiences) for one in latencies]).reshape(-1, 2)
    if not len(waited):
        return dict.fromkeys(("median_faces", "median_experiences", "within_one"), math.nan)
    # The lower median: halfway to infinity is no number of faces.
    middle = np.sort(waited, axis=0)[(len(waited) - 1) // 2]
    return {
        "median_faces": float(middle[0]),
        "median_experiences": float(middle[1]),
        "within_one": _mean(waited[:, 1] <= 1),
    }


def swaps(before: Mapping[int, int | None], after: Mapping[int, int | None]) -> int:
    """Return how many pairs of ids exchanged the methods that they stand for."""
    ids = sorted(before.keys() & after.keys())
    return sum(
        before[a] == after[b] and before[b] == after[a] and before[a] != before[b]
        for index, a in enumerate(ids)
        for b in ids[index + 1 :]
    )


def persistence(
    attributed: Sequence[Mapping[int, NDArray[np.int64]]], discovered_as: Mapping[int, int]
) -> float:
    """Return how often the faces of a discovered method that is back mostly get the id that discovered it.

    Args:
        attributed: for each later experience, method → class ids of its `(N,)` new faces.
        discovered_as: method → class id.

    Returns:
        The share of (method, experience) pairs with faces; NaN where there is none.
    """
    return _mean(
        [
            bool(np.mean(ids == discovered_as[method]) > 0.5)
            for experience in attributed
            for method, ids in experience.items()
            if method in discovered_as and len(ids)
        ]
    )


def _largest_two(counts: Mapping[int, int]) -> tuple[int, float, float]:
    """Return the majority method (the lowest of equals), its share, and the share of the second."""
    total = sum(counts.values())
    if not total:
        return UNKNOWN, 0.0, 0.0
    ranked = sorted(counts, key=lambda method: (-counts[method], method))
    second = counts[ranked[1]] / total if len(ranked) > 1 else 0.0
    return ranked[0], counts[ranked[0]] / total, second


def _mean(values: Sequence[bool] | NDArray[np.float64] | NDArray[np.bool_]) -> float:
    return float(np.mean(values)) if len(values) else math.nan
