"""What the answer key says of a simulated stream: figures of each experience, written down and read again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, starmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from owcl.engine import evaluate
from owcl.engine.workspace import Workspace
from owcl.errors import Conflict
from owcl.evaluation.accuracy import Roles, registry_entry
from owcl.evaluation.discovery import (
    count_mae,
    discoveries,
    latency,
    latency_summary,
    persistence,
    swaps,
)
from owcl.evaluation.forgetting import backward_transfer, forgetting, over_stream
from owcl.evaluation.table import COLUMNS
from owcl.types import UNKNOWN
from scenarios.schedule import Schedule
from scenarios.truth import AnswerKey
from storage import (
    attributions,
    classes,
    counts,
    decisions,
    experiences,
    faces,
    memberships,
    metrics,
)
from storage.names import key_of

ACCURACIES = ("acc_known", "acc_seen", "id_acc_all", "id_acc_new")
"""What the figures of a whole stream are made of."""


@dataclass(frozen=True)
class World:
    """One seed's stream, with all that only the simulator may know."""

    schedule: Schedule
    key: AnswerKey
    test: NDArray[np.uint8]
    truth: NDArray[np.int64]

    def roles(self, experience: int) -> Roles:
        """Return which methods count as known, seen and new after an experience."""
        known, *later = self.key.arrived(experience)
        new = later[-1] if later else frozenset()
        return Roles(known, frozenset().union(*later[:-1]), new)


def is_measured(workspace: Workspace, experience: int) -> bool:
    """Return whether an experience has its figures, and so is over."""
    with workspace.store.reading() as transaction:
        return bool(metrics.read(transaction, experience))


def measure(workspace: Workspace, world: World, experience: int, seconds: float) -> None:
    """Judge the test faces with the model that answers now, and store the figures of the experience."""
    answer = workspace.answer()
    judged = answer.attribute(answer.embed(np.arange(len(world.test)), world.test))
    with workspace.store.transaction() as transaction:
        registry = registry_of(transaction, world)
        values = evaluate.figures(world.truth, judged, world.roles(experience), registry)
        place = metrics.Measured(experience, model_version=answer.version)
        metrics.write(transaction, place, {**values, "seconds": seconds})
        if experience:
            metrics.write(transaction, place, {"true_count": float(len(world.key.arrivals[experience]))})
            place = metrics.Measured(experience, split="first_sight")
            metrics.write(transaction, place, _first_sight(transaction, world, experience))
        arrived = world.key.arrived(len(world.schedule.experiences))
        accuracies = evaluate.cohorts(world.truth, judged.class_ids, arrived, registry)
        for cohort, accuracy in enumerate(accuracies):
            place = metrics.Measured(experience, method=f"cohort {cohort}", model_version=answer.version)
            metrics.write(transaction, place, {"id_acc": accuracy})
        for number, method in enumerate(world.key.methods):
            ids, sizes = np.unique(judged.class_ids[world.truth == number], return_counts=True)
            place = metrics.Measured(experience, method=f"confusion {method}", model_version=answer.version)
            shares = dict(zip(map(str, ids.tolist()), sizes.astype(float).tolist(), strict=True))
            metrics.write(transaction, place, shares)


def _first_sight(transaction: Connection, world: World, experience: int) -> dict[str, float]:
    """Return the figures of what was said at ingest, before anything of the experience was learned."""
    seen = attributions.first_sight(transaction, experience)
    truth = _truth_of(transaction, world, seen.face_ids)
    registry = {
        class_id: method
        for class_id, method in registry_of(transaction, world).items()
        if (classes.details(transaction, class_id).born or 0) < experience
    }
    return evaluate.figures(truth, seen, world.roles(experience - 1), registry)


def registry_of(transaction: Connection, world: World) -> dict[int, int | None]:
    """Return which method each class stands for: fixed by its members when it was promoted."""
    number = {key_of(method): index for index, method in enumerate(world.key.methods)}
    registry: dict[int, int | None] = {
        entry.id: number.get(key_of(entry.name))
        for entry in classes.everything(transaction)
        if entry.status == "known"
    }
    for class_id, members in _founders(transaction).items():
        registry[class_id] = registry_entry(_truth_of(transaction, world, members))
    return registry


def _founders(transaction: Connection) -> dict[int, NDArray[np.int64]]:
    """Return the faces that each discovered class was promoted with, or that a person made it of.

    Clusters that were recognised as more of a class found nothing, and least of all a labelled one.
    """
    found: dict[int, list[int]] = {}
    for decision in decisions.history(transaction):
        if decision.verb in ("promote", "make", "split"):
            for face_id, (_, after) in memberships.moved_by(transaction, decision.id).items():
                if after is not None:
                    found.setdefault(after, []).append(face_id)
    return {class_id: np.array(face_ids, np.int64) for class_id, face_ids in found.items()}


def _truth_of(transaction: Connection, world: World, face_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    sources = [Path(face.source) for face in faces.by_ids(transaction, face_ids)]
    strange = next((source for source in sources if source not in world.key.method_of), None)
    if strange is not None:
        raise Conflict(
            f"{strange}: the workspace holds this face, and the scenario does not. A workspace of this very "
            "scenario is expected. Choose another folder with --workspace, or put the scenario's faces back "
            "where they were."
        )
    return world.key.numbers(sources)


def experience_row(workspace: Workspace, world: World, experience: int) -> dict[str, Any]:
    """Return the stored figures of an experience, accuracies in percent, and how many methods it brought."""
    with workspace.store.reading() as transaction:
        stored = metrics.read(transaction, experience)
        count = counts.by_experience(transaction).get(experience)
    figures, sight = (
        {
            metric.name: metric.value
            for metric in stored
            if metric.measured.method is None and metric.measured.split == split
        }
        for split in ("test", "first_sight")
    )
    cohorts = [metric.value for metric in stored if (metric.measured.method or "").startswith("cohort")]
    row: dict[str, Any] = {"experience": experience, **in_percent(figures), "cohorts": cohorts}
    if experience:
        row["first_sight"] = in_percent(sight)
    if count is not None:
        row["count"] = {"value": count.value, "low": count.low, "high": count.high}
    return row


def stream_row(
    workspace: Workspace, world: World, rows: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """Return the columns of the table at the end of a stream, from the rows of its experiences."""
    last = rows[-1]
    with workspace.store.reading() as transaction:
        discovery = _discovery(transaction, world, len(rows))
    later = rows[1:]
    return {
        **{name: last.get(name) for name in COLUMNS},
        **over_time(rows),
        **_transfer(rows),
        # At the end of the stream hardly any method is without a class, so that there is little to reject.
        "auroc": _mean_of([row["auroc"] for row in rows[:-1]]),
        "count_mae": count_mae(
            [row["count"]["value"] for row in later],
            [len(world.key.arrivals[row["experience"]]) for row in later],
        ),
        **discovery,
        # Without the labelled start, which all rows of a table share.
        "seconds_per_experience": _mean_of([row["seconds"] for row in later]),
    }


def over_time(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Return what is said of a whole stream, from the accuracies after each of its experiences."""
    return evaluate.plain(over_stream([_with_nan(row) for row in rows]))


def _with_nan(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: math.nan if row.get(name) is None else row[name] for name in ACCURACIES}


def _transfer(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Return forgetting and backward transfer over the cohorts that have arrived, in points."""
    accuracies = np.array(
        [[math.nan if one is None else 100 * one for one in row["cohorts"]] for row in rows]
    )
    square = accuracies[:, : len(rows)]
    figures = {"forgetting": forgetting(square).mean, "backward_transfer": backward_transfer(square)}
    return evaluate.plain(figures)


def _discovery(transaction: Connection, world: World, lived: int) -> dict[str, float | None]:
    """Return how whole, how soon and how lastingly methods were discovered in as many experiences."""
    methods = len(world.key.methods)
    novel = frozenset().union(*world.key.arrived(lived - 1)[1:])
    registry = registry_of(transaction, world)
    # The oldest class of a method is the one that discovered it.
    found = {
        method: class_id
        for class_id, method in sorted(registry.items(), reverse=True)
        if method is not None and method in novel
    }
    born = {method: classes.details(transaction, class_id).born or 0 for method, class_id in found.items()}
    seen = [attributions.first_sight(transaction, experience) for experience in range(1, lived)]
    truths = [_truth_of(transaction, world, one.face_ids) for one in seen]
    came = np.array([np.bincount(truth, minlength=methods) for truth in truths]).reshape(-1, methods)
    members = {
        class_id: dict(enumerate(np.bincount(_truth_of(transaction, world, ids), minlength=methods).tolist()))
        for class_id, ids in _founders(transaction).items()
    }
    at_birth = {
        class_id: dict(enumerate(came[: classes.details(transaction, class_id).born].sum(axis=0).tolist()))
        for class_id in members
    }
    judged = discoveries(members, {method: int(came[:, method].sum()) for method in novel}, at_birth)
    waited = latency_summary(
        [
            latency(came[:, method].tolist(), born[method] - 1 if method in born else None)
            for method in novel
            if came[:, method].any()
        ]
    )
    back = [
        {method: one.class_ids[truth == method] for method in found if born[method] < experience}
        for experience, (one, truth) in enumerate(zip(seen, truths, strict=True), start=1)
    ]
    majorities = [_majorities(transaction, world, experience) for experience in range(lived)]
    figures = {
        "false_new": float(len(judged.false)),
        "discovery_f1": 100 * judged.f1,
        "latency_faces": waited["median_faces"],
        "persistence": 100 * persistence(back, found),
        "swaps": float(sum(starmap(swaps, pairwise(majorities)))),
    }
    return {name: value if np.isfinite(value) else None for name, value in figures.items()}


def _majorities(transaction: Connection, world: World, experience: int) -> dict[int, int | None]:
    """Return of which method each class has most test faces after an experience."""
    counted: dict[int, dict[int, float]] = {}
    for metric in metrics.read(transaction, experience):
        about = metric.measured.method or ""
        if about.startswith("confusion ") and int(metric.name) != UNKNOWN:
            method = world.key.methods.index(about.removeprefix("confusion "))
            counted.setdefault(int(metric.name), {})[method] = metric.value or 0.0
    return {class_id: max(shares, key=shares.__getitem__) for class_id, shares in counted.items()}


def _mean_of(values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return float(np.mean(present)) if present else None


def in_percent(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return figures as plain values, with those that are shares of faces in percent."""
    return {
        name: 100 * value
        if value is not None and name.startswith(("acc", "id_acc", "open_set", "abst", "identity"))
        else value
        for name, value in evaluate.plain(figures).items()
    }


def record(workspace: Workspace, name: str, figures: Mapping[str, float | None]) -> None:
    """Keep a row of the table, so that the report can show it and a run that goes on need not repeat it."""
    with workspace.store.transaction() as transaction:
        place = metrics.Measured(_latest(transaction), method=_row_of(name))
        metrics.write(transaction, place, {column: figures.get(column) for column in COLUMNS})


def recorded(workspace: Workspace, name: str) -> dict[str, float | None]:
    """Return the figures of a row that an earlier run came to; none if it did not come so far."""
    with workspace.store.reading() as transaction:
        stored = metrics.read(transaction, _latest(transaction))
    return {metric.name: metric.value for metric in stored if metric.measured.method == _row_of(name)}


def _latest(transaction: Connection) -> int:
    latest = experiences.latest(transaction)
    assert latest is not None  # What is scored has been trained.
    return latest.index


def _row_of(name: str) -> str:
    return f"table {name}"
