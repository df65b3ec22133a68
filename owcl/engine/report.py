"""`owcl report`: gathers what the store knows into one page, with its figures and tables beside it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

import owcl
from owcl.engine.doctor import LIBRARIES
from owcl.engine.standing import Standing, faces_by_class, standing
from owcl.engine.workspace import Workspace
from owcl.evaluation import figures
from owcl.evaluation.report import ClassRow, Report, render
from owcl.evaluation.table import COLUMNS, summary
from owcl.types import LIVE, UNKNOWN, MethodClass
from storage import (
    attributions,
    classes,
    counts,
    decisions,
    embeddings,
    experiences,
    faces,
    memberships,
    metrics,
    models,
    quarantine,
)

EXAMPLES = 6
DECISIONS = 20
CURVES = {
    "id_acc_novel": "novel, by registry",
    "acc_novel_joint": "novel, matching refitted",
    "id_acc_all": "all, by registry",
    "acc_all_joint": "all, matching refitted",
    "acc_known": "known",
}
"""Measures that are drawn over time; those that often coincide stand side by side."""


def report(workspace: Workspace, output: Path | None = None) -> Path:
    """Write the report of a workspace and return its path.

    Beside it go `figures/*.svg` and `metrics.csv`.

    Args:
        workspace: with or without measured accuracy.
        output: an HTML file; `report.html` in the workspace by default.
    """
    path = workspace.root / "report.html" if output is None else output
    with workspace.store.reading() as transaction:
        content, drawn = _content(workspace, transaction)
        measured = metrics.read(transaction)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.parent / "figures"
    folder.mkdir(exist_ok=True)
    for name, svg in drawn.items():
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    with (path.parent / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["experience", "split", "about", "name", "value"])
        for metric in measured:
            place = metric.measured
            writer.writerow([place.experience, place.split, place.method or "", metric.name, metric.value])
    # Paths that are not Unicode are shown with escapes.
    path.write_text(render(content), encoding="utf-8", errors="backslashreplace")
    return path


def _content(workspace: Workspace, transaction: Connection) -> tuple[Report, dict[str, str]]:
    entries = classes.everything(transaction)
    discovered = [entry for entry in entries if entry.status != "known"]
    present = standing(transaction)
    drawn = figures_over_time(transaction, present)
    drawn |= _map(workspace, transaction, {entry.id: entry.name for entry in entries})
    headings = {
        "accuracy": "Accuracy over time",
        "forgetting": "Forgetting",
        "counting": "Counting",
        "arrivals": "Arrivals",
        "map": "Map",
        "confusion": "Confusion",
    }
    latest = experiences.latest(transaction)
    seen = 0 if latest is None else latest.index
    live = [entry for entry in discovered if entry.status in ("provisional", "named")]
    columns, rows = _methods(transaction)
    counted = faces_by_class(present.class_ids)
    content = Report(
        title=f"owcl: {workspace.root.resolve().name}",
        summary=(
            f"{faces.count(transaction):,} faces. Unlabelled experiences: {seen}. "
            f"Known methods: {len(entries) - len(discovered)}; discovered: {len(live)}."
        ),
        headline=_headline(transaction, len(live), counted.get(UNKNOWN, 0)),
        classes=[_class_row(workspace, transaction, entry, counted) for entry in entries],
        figures=[(headings[name], svg) for name, svg in drawn.items()],
        columns=columns,
        methods=rows,
        quarantined=[(row.source, row.reason) for row in quarantine.read(transaction)],
        decisions=[
            (f"{row.when.astimezone():%Y-%m-%d %H:%M}", row.who, f"{row.verb} {row.subject}")
            for row in decisions.history(transaction, limit=DECISIONS)
        ],
        settings=_settings(workspace),
    )
    return content, drawn


def _headline(transaction: Connection, discovered: int, unknown: int) -> list[tuple[str, str]]:
    last = _curves(transaction)
    numbers = [("faces", f"{faces.count(transaction):,}"), ("discovered classes", str(discovered))]
    for name, label in (("id_acc_all", "accuracy"), ("acc_known", "on known"), ("id_acc_novel", "on novel")):
        values = [value for value in last.get(name, ()) if value is not None]
        if values:
            numbers.append((label, f"{values[-1]:.1f} %"))
    numbers.append(("unknown now", f"{unknown:,}"))
    return [*numbers, ("quarantined", f"{quarantine.count(transaction):,}")]


def _curves(transaction: Connection) -> dict[str, list[float | None]]:
    """Return percentages by name, one an experience, of those figures that were measured."""
    by_name: dict[str, dict[int, float | None]] = {}
    for metric in metrics.read(transaction):
        place = metric.measured
        if place.method is None and place.split == "test" and metric.name in CURVES:
            value = None if metric.value is None else 100 * metric.value
            by_name.setdefault(metric.name, {})[metric.measured.experience] = value
    length = 1 + max((max(values) for values in by_name.values()), default=-1)
    return {
        name: [by_name[name].get(experience) for experience in range(length)]
        for name in CURVES
        if name in by_name
    }


def figures_over_time(transaction: Connection, present: Standing) -> dict[str, str]:
    """Return SVG figures by name: accuracy, forgetting, confusion where they were measured, and arrivals.

    Args:
        transaction: of the store.
        present: where each of its faces belongs.
    """
    entries = classes.everything(transaction)
    drawn = {}
    curves = _curves(transaction)
    if curves:
        drawn["accuracy"] = figures.accuracy_over_time(
            {CURVES[name]: values for name, values in curves.items()}
        )
        drawn["forgetting"] = _forgetting(transaction)
        drawn |= _confusion(transaction, entries)
    estimates = counts.by_experience(transaction)
    if estimates:
        drawn["counting"] = figures.counting(
            [(estimates[key].value, estimates[key].low, estimates[key].high) for key in sorted(estimates)],
            _true_counts(transaction, sorted(estimates)),
        )
    per_class = _faces_per_class(transaction, entries, present)
    if any(any(values) for values in per_class.values()):
        drawn["arrivals"] = figures.arrivals(per_class)
    return drawn


def _true_counts(transaction: Connection, experiences_counted: Sequence[int]) -> list[int] | None:
    """Return how many methods each experience brought; None where that is not known of all."""
    arrived = {
        metric.measured.experience: int(metric.value)
        for metric in metrics.read(transaction)
        if metric.name == "true_count" and metric.value is not None
    }
    if not arrived.keys() >= set(experiences_counted):
        return None
    return [arrived[experience] for experience in experiences_counted]


def _forgetting(transaction: Connection) -> str:
    cells: dict[tuple[int, int], float | None] = {}
    for metric in metrics.read(transaction):
        about = metric.measured.method or ""
        if about.startswith("cohort "):
            cells[metric.measured.experience, int(about.removeprefix("cohort "))] = metric.value
    rows, columns = (1 + max(key[axis] for key in cells) for axis in (0, 1))
    kept = [c for c in range(columns) if any(cells.get((row, c)) is not None for row in range(rows))]
    labels = ["known" if cohort == 0 else f"arrived in {cohort}" for cohort in kept]
    table = [[cells.get((row, column)) if column <= row else None for column in kept] for row in range(rows)]
    return figures.forgetting_matrix(table, [f"after {row}" for row in range(rows)], labels)


def _confusion(transaction: Connection, entries: Sequence[MethodClass]) -> dict[str, str]:
    """Draw how the test faces of each method were attributed after the last experience."""
    measured = [
        row for row in metrics.read(transaction) if (row.measured.method or "").startswith("confusion ")
    ]
    last = max((row.measured.experience for row in measured), default=0)
    counted = {
        (row.measured.method or "", int(row.name)): int(row.value or 0)
        for row in measured
        if row.measured.experience == last
    }
    if not counted:
        return {}
    names = {UNKNOWN: "unknown", **{entry.id: f"{entry.id} {entry.name}" for entry in entries}}
    methods = list(dict.fromkeys(about for about, _ in counted))
    ids = sorted({class_id for _, class_id in counted})
    table = np.array([[counted.get((about, class_id), 0) for class_id in ids] for about in methods])
    rows = [about.removeprefix("confusion ") for about in methods]
    return {"confusion": figures.confusion(table, rows, [names.get(class_id, "") for class_id in ids])}


def _faces_per_class(
    transaction: Connection, entries: Sequence[MethodClass], present: Standing
) -> dict[str, list[int]]:
    latest = experiences.latest(transaction)
    steps = range(1, 1 + (0 if latest is None else latest.index))
    came = [faces.in_experience(transaction, step) for step in steps]
    counted = [faces_by_class(present.class_ids[np.isin(present.face_ids, ids)]) for ids in came]
    names = {entry.id: f"{entry.id} {entry.name}" for entry in entries if entry.status in LIVE}
    names[UNKNOWN] = "unknown"
    return {name: [counts.get(class_id, 0) for counts in counted] for class_id, name in names.items()}


def _map(workspace: Workspace, transaction: Connection, names: dict[int, str]) -> dict[str, str]:
    answering = models.answering(transaction)
    if answering is None:
        return {}
    rng = workspace.rng("map", 0)
    face_ids = embeddings.of_version(transaction, answering.id)
    if len(face_ids) < 10:
        return {}
    drawn = face_ids[np.sort(rng.permutation(len(face_ids))[: figures.LARGEST_MAP])]
    judged = attributions.of_faces(transaction, drawn)
    class_of = dict(zip(judged.face_ids.tolist(), judged.class_ids.tolist(), strict=True))
    labels = [names.get(class_of.get(face_id, UNKNOWN), "unknown") for face_id in drawn.tolist()]
    vectors = embeddings.read(transaction, answering.id, drawn).vectors
    return {"map": figures.embedding_map(figures.project(vectors, rng), labels)}


def _class_row(
    workspace: Workspace, transaction: Connection, entry: MethodClass, counted: Mapping[int, int]
) -> ClassRow:
    details = classes.details(transaction, entry.id)
    members = memberships.members(transaction, entry.id)
    evidence: dict[str, Any] = dict(details.evidence)
    words = ""
    if "stability" in evidence:
        words = f"came back in {evidence['stability']:.0%} of resamples"
        if evidence.get("auc_to_nearest_class") is not None:
            words += (
                f"; told from class {evidence['nearest_class']}, the nearest, "
                f"with AUC {evidence['auc_to_nearest_class']:.2f}"
            )
    images = _examples(workspace, members)
    return ClassRow(
        entry.id,
        entry.name,
        entry.family or "",
        entry.status,
        counted.get(entry.id, 0),
        details.born,
        words,
        figures.strip(images) if len(images) else None,
    )


def _examples(workspace: Workspace, members: NDArray[np.int64]) -> NDArray[np.uint8]:
    _, images = workspace.pixels(members[:: max(1, len(members) // EXAMPLES)][:EXAMPLES])
    return images.transpose(0, 2, 3, 1)


def _methods(transaction: Connection) -> tuple[list[str], list[list[str]]]:
    table: dict[str, dict[str, list[float | None]]] = {}
    for metric in metrics.read(transaction):
        about = metric.measured.method or ""
        if about.startswith("table "):
            table.setdefault(about.removeprefix("table "), {})[metric.name] = [metric.value]
    columns = list(COLUMNS) if table else []
    return columns, summary(table, columns)


def _settings(workspace: Workspace) -> dict[str, str]:
    # The doctor tries faiss itself, of whatever build it is.
    versions = {name: _version(name) for name in (*LIBRARIES, "faiss-cpu")}
    configuration = {
        f"{part}.{key}" if isinstance(values, dict) else part: str(value)
        for part, values in workspace.configuration.model_dump().items()
        for key, value in (values.items() if isinstance(values, dict) else [("", values)])
    }
    return {"owcl": owcl.__version__, **versions, **configuration}


def _version(library: str) -> str:
    from importlib.metadata import PackageNotFoundError

    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"
