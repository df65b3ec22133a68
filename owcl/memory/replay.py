"""A memory of faces for replay, of bounded size for each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from owcl.errors import BadInput

PSEUDO_LABELLED, LABELLED, OPERATOR_LABELLED = 0, 1, 2
"""Where the class of a face comes from: the learner, the labelled experience, an operator."""
SMALLEST_WEIGHT = 0.5
"""A pseudo-label that is less probable than this is not worth remembering."""


@dataclass(frozen=True)
class Exemplars:
    """Faces with the class they stand for; columns of equal length, one row a face."""

    face_ids: NDArray[np.int64]
    images: NDArray[np.uint8]
    """`(N, 3, H, W)`."""
    class_ids: NDArray[np.int64]
    """Registry ids."""
    weights: NDArray[np.float32]
    """1 for a label, the calibrated probability for a pseudo-label."""
    origins: NDArray[np.int8]
    """`PSEUDO_LABELLED`, `LABELLED` or `OPERATOR_LABELLED`."""

    def __len__(self) -> int:
        return len(self.face_ids)

    def take(self, rows: NDArray[Any]) -> Exemplars:
        """Return the chosen rows, by indices or by a `(N,)` mask."""
        return Exemplars(*(getattr(self, field.name)[rows] for field in fields(self)))


Choose = Callable[[Exemplars, int], NDArray[np.int64]]
"""Which rows to keep, at most so many, of exemplars that all stand for one class."""


class ReplayMemory:
    """Exemplars of every class, never more of one than its share.

    A face that an operator labelled makes room only for other such faces. Selection looks at features,
    which change with every model version, so it is handed to each step that may have to let faces go.

    Args:
        per_class: faces kept of each class.
        total: if given, shared out over the classes in place of `per_class`.
    """

    def __init__(self, per_class: int = 20, total: int | None = None) -> None:
        self.per_class = per_class
        self.total = total
        self.exemplars: Exemplars | None = None

    def __len__(self) -> int:
        return 0 if self.exemplars is None else len(self.exemplars)

    @property
    def class_ids(self) -> NDArray[np.int64]:
        """The `(C,)` classes that are remembered, in ascending order."""
        return np.empty(0, np.int64) if self.exemplars is None else np.unique(self.exemplars.class_ids)

    def add(self, arrivals: Exemplars, choose: Choose) -> None:
        """Remember faces as far as the shares allow.

        A face that is there already is replaced, unless that would put a pseudo-label in the place of a
        label. Pseudo-labels below the smallest weight are passed over.

        Raises:
            BadInput: if a face comes twice, the columns differ in length, or the images in size from
                those remembered.
        """
        _check(arrivals, self.exemplars)
        arrivals = arrivals.take((arrivals.weights >= SMALLEST_WEIGHT) | (arrivals.origins > PSEUDO_LABELLED))
        if self.exemplars is None:
            self.exemplars = arrivals
        else:
            trusted = self.exemplars.face_ids[self.exemplars.origins > PSEUDO_LABELLED]
            outranked = (arrivals.origins == PSEUDO_LABELLED) & np.isin(arrivals.face_ids, trusted)
            arrivals = arrivals.take(~outranked)
            staying = ~np.isin(self.exemplars.face_ids, arrivals.face_ids)
            self.exemplars = _joined(self.exemplars.take(staying), arrivals)
        self.rebalance(choose)

    def rebalance(self, choose: Choose) -> None:
        """Let faces go where a class has more than its share."""
        if self.exemplars is None:
            return
        kept = [np.empty(0, np.int64)]
        for class_id, share in zip(self.class_ids, self._shares(), strict=True):
            rows = np.flatnonzero(self.exemplars.class_ids == class_id)
            by_operator = self.exemplars.origins[rows] == OPERATOR_LABELLED
            confirmed = self._chosen(rows[by_operator], share, choose)
            kept += [confirmed, self._chosen(rows[~by_operator], share - len(confirmed), choose)]
        self.exemplars = self.exemplars.take(np.sort(np.concatenate(kept)))

    def merge(self, source: int, target: int, choose: Choose) -> None:
        """Let the faces of class `source` stand for class `target`."""
        if self.exemplars is not None:
            class_ids = np.where(self.exemplars.class_ids == source, target, self.exemplars.class_ids)
            columns = {field.name: getattr(self.exemplars, field.name) for field in fields(Exemplars)}
            self.exemplars = Exemplars(**{**columns, "class_ids": class_ids})
            self.rebalance(choose)

    def reject(self, class_id: int) -> None:
        """Forget the faces of a class."""
        if self.exemplars is not None:
            self.exemplars = self.exemplars.take(self.exemplars.class_ids != class_id)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the exemplars as named arrays, none when nothing is remembered."""
        if self.exemplars is None:
            return {}
        return {field.name: getattr(self.exemplars, field.name) for field in fields(Exemplars)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Remember exactly what `state` returned."""
        self.exemplars = Exemplars(**state) if state else None

    def _shares(self) -> NDArray[np.int64]:
        num_classes = len(self.class_ids)
        if self.total is None:
            return np.full(num_classes, self.per_class)
        return shares(self.total, num_classes)

    def _chosen(self, rows: NDArray[np.int64], count: int, choose: Choose) -> NDArray[np.int64]:
        if len(rows) <= count or self.exemplars is None:
            return rows
        return rows[choose(self.exemplars.take(rows), count)] if count else rows[:0]


def shares(total: int, num_classes: int) -> NDArray[np.int64]:
    """Share out `total` places over classes, the first classes one more where it does not come out even.

    Raises:
        BadInput: if there are fewer places than classes.

    Example:
        >>> shares(200, 9).tolist()
        [23, 23, 22, 22, 22, 22, 22, 22, 22]
    """
    if total < num_classes:
        raise BadInput(
            f"replay memory: {total} faces in all for {num_classes} classes. At least one face for each "
            "class is expected. Raise the total."
        )
    everyone, rest = divmod(total, max(num_classes, 1))
    return np.full(num_classes, everyone) + (np.arange(num_classes) < rest)


def _joined(first: Exemplars, second: Exemplars) -> Exemplars:
    return Exemplars(
        *(
            np.concatenate([getattr(first, field.name), getattr(second, field.name)])
            for field in fields(first)
        )
    )


def _check(arrivals: Exemplars, present: Exemplars | None) -> None:
    lengths = {field.name: len(getattr(arrivals, field.name)) for field in fields(arrivals)}
    if len(set(lengths.values())) > 1:
        raise BadInput(
            f"replay memory: columns of lengths {lengths}. One row for each face is expected. "
            "Pass equal columns."
        )
    if len(np.unique(arrivals.face_ids)) < len(arrivals):
        raise BadInput(
            f"replay memory: {len(arrivals)} rows for {len(np.unique(arrivals.face_ids))} faces. "
            "Each face once is expected. Decide for one class a face."
        )
    if present is not None and arrivals.images.shape[1:] != present.images.shape[1:]:
        raise BadInput(
            f"replay memory: images of shape {arrivals.images.shape[1:]}, but {present.images.shape[1:]} are "
            "remembered. One size is expected. Prepare the faces in the same way as before."
        )
