"""`owcl evaluate`: figures on faces whose makers are known; nothing here reaches a learner."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from owcl.engine.workspace import Report, Workspace, silent
from owcl.errors import BadInput
from owcl.evaluation.accuracy import Roles, accuracy_columns, per_method_accuracy
from owcl.evaluation.agreement import agreement
from owcl.evaluation.open_set import open_set_acc, separation
from owcl.faces.load import LoadedFace, stacked
from owcl.faces.sources import expand
from owcl.types import Attributions
from scenarios.method_folders import method_folders
from storage import classes
from storage.names import key_of

logger = logging.getLogger(__name__)

Ids = NDArray[np.int64]


def evaluate(workspace: Workspace, folder: Path, report: Report = silent) -> dict[str, float]:
    """Measure the answering model on a labelled tree `DIR/<method>/*`.

    A class stands for the folder of its name; classes that nobody named stand for none.

    Raises:
        BadInput: if the tree cannot be used, none of its images can be read, or there is no model.
    """
    folders = method_folders(folder)
    methods = list(folders)
    pairs = [
        (number, source)
        for number, method in enumerate(methods)
        for source in expand([folders[method]])
        if isinstance(source, str)
    ]
    images, kept = read_images(workspace, [source for _, source in pairs], report)
    if not len(kept):
        raise BadInput(f"{folder}: none of its {len(pairs)} images can be read. Test faces are expected.")
    if len(kept) < len(pairs):
        logger.warning(
            "%d of %d test faces cannot be read, and are left out", len(pairs) - len(kept), len(pairs)
        )
    truth = np.array([number for number, _ in pairs], np.int64)[kept]
    answer = workspace.answer()
    judged = answer.attribute(answer.embed(np.arange(len(images)), images))
    with workspace.store.reading() as transaction:
        live = classes.live(transaction)
    number = {key_of(method): number for number, method in enumerate(methods)}
    registry = {entry.id: number.get(key_of(entry.name)) for entry in live}
    trained = [registry[entry.id] for entry in live if entry.status == "known"]
    known = frozenset(method for method in trained if method is not None)
    novel = frozenset(range(len(methods))) - known
    return figures(truth, judged, Roles(known, frozenset(), novel), registry)


def read_images(
    workspace: Workspace, sources: Sequence[str], report: Report = silent
) -> tuple[NDArray[np.uint8], Ids]:
    """Return `(M, 3, S, S)` images of the readable sources, and their `(M,)` row numbers."""
    faces, kept = [], []
    for row, result in enumerate(workspace.loaded(sources)):
        report("reading test faces", row + 1, len(sources))
        if isinstance(result, LoadedFace):
            faces.append(result)
            kept.append(row)
    return stacked(faces, workspace.configuration.faces.image_size), np.array(kept, np.int64)


def figures(
    truth: Ids, judged: Attributions, roles: Roles, registry: Mapping[int, int | None]
) -> dict[str, float]:
    """Return all columns for one state of a model.

    Args:
        truth: `(N,)` method numbers; faces of methods without a role have not arrived, and count for the
            open-set figures alone.
        judged: what the model said of them.
        roles: of the methods at this time.
        registry: class id → method number, as fixed at promotion.
    """
    arrived = np.isin(truth, list(roles.known | roles.earlier | roles.new))
    columns = accuracy_columns(truth[arrived], judged.class_ids[arrived], roles, registry)
    registered = {method for method in registry.values() if method is not None}
    has_class = np.isin(truth, list(registered))
    # A small p-value means novel, so that its complement is the score.
    surprise = 1 - judged.p_values
    return {
        **columns,
        **agreement(truth[arrived], judged.class_ids[arrived]),
        **separation(surprise[has_class], surprise[~has_class]),
        "open_set_acc": open_set_acc(truth, judged.class_ids, registry),
    }


def cohorts(
    truth: Ids, predicted: Ids, arrived: Sequence[frozenset[int]], registry: Mapping[int, int | None]
) -> list[float]:
    """Return the registry accuracy on each cohort of arrivals; NaN for an empty one."""
    accuracies = per_method_accuracy(truth, predicted, registry)
    return [
        float(np.average([accuracies[m] for m in group], weights=[(truth == m).sum() for m in group]))
        if (group := sorted(methods & accuracies.keys()))
        else math.nan
        for methods in arrived
    ]


def plain(values: Mapping[str, Any]) -> dict[str, float | None]:
    """Return figures as JSON can hold them: none in place of NaN."""
    return {
        name: None if value is None or math.isnan(value) else float(value) for name, value in values.items()
    }
