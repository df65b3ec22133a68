"""The analytic head: ridge regression from sums, in which every operator's action is exact and instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from owcl.errors import BadInput, NotFound

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ClassSums:
    """What the head knows of a class: weighted sums over its faces."""

    second: Array
    """`(F, F)` sum of `a x x^T`."""
    first: Array
    """`(F,)` sum of `a x`."""
    weight: float
    """Sum of `a`."""

    def __add__(self, other: ClassSums) -> ClassSums:
        return ClassSums(self.second + other.second, self.first + other.first, self.weight + other.weight)

    def __sub__(self, other: ClassSums) -> ClassSums:
        return ClassSums(self.second - other.second, self.first - other.first, self.weight - other.weight)


class AnalyticHead:
    """Ridge regression of one-hot classes on frozen embeddings, from sums kept for each class.

    Its answer is that of the batch solution on every face ever added, in whatever order they came. Since
    the sums are kept by class, merging, rejecting and splitting need no faces seen again and no training.

    Args:
        dimension: D of the embeddings.
        ridge: penalty on the weights, above 0.
        projection: `(D, F)` for `relu(embeddings @ projection)` in place of the embeddings themselves; see
            `random_projection`. Useful from about 20 classes.
    """

    def __init__(
        self, dimension: int, ridge: float = 0.1, projection: NDArray[np.float32] | None = None
    ) -> None:
        self.dimension = dimension
        self.ridge = ridge
        self.projection = projection
        self.temperature = 1.0
        self._sums: dict[int, ClassSums] = {}
        self._weights: Array | None = None

    @property
    def class_ids(self) -> NDArray[np.int64]:
        """`(C,)` registry ids of the columns of the scores, in ascending order."""
        return np.array(sorted(self._sums), np.int64)

    @property
    def weights(self) -> Array:
        """`(F, C)` solution `(sum of all second sums + ridge I)^-1 [first sums]`."""
        if self._weights is None:
            self._weights = self._solved()
        return self._weights

    def add(
        self, embeddings: NDArray[np.floating], class_ids: NDArray[np.int64], weights: NDArray[np.floating]
    ) -> None:
        """Learn faces.

        Args:
            embeddings: `(N, D)`.
            class_ids: `(N,)` registry ids; new ones become new columns.
            weights: `(N,)` 1 for a label, the probability for a pseudo-label.

        Raises:
            BadInput: if the embeddings have another dimension, or are not finite.
        """
        inputs = self._inputs(embeddings)
        for class_id in np.unique(class_ids).tolist():
            members = class_ids == class_id
            self._put(class_id, _sums(inputs[members], weights[members].astype(np.float64)))

    def move(
        self, embeddings: NDArray[np.floating], weights: NDArray[np.floating], source: int, target: int
    ) -> None:
        """Let faces that were added to class `source` count for `target`; moving them back undoes it.

        Args:
            embeddings: `(N, D)`, the same as were added.
            weights: `(N,)`, the same as were added.
            source: a class of the head.
            target: a class of the head, or a new one.

        Raises:
            NotFound: if the head has no class `source`.
            BadInput: as `add`.
        """
        moved = _sums(self._inputs(embeddings), weights.astype(np.float64))
        self._sums[source] = self._get(source) - moved
        self._put(target, moved)

    def merge(self, source: int, target: int) -> ClassSums:
        """Count all faces of class `source` for `target` and return what `restore` needs to undo it.

        Raises:
            NotFound: if the head lacks one of the classes.
        """
        self._get(target)
        merged = self.reject(source)
        self._put(target, merged)
        return merged

    def reject(self, class_id: int) -> ClassSums:
        """Unlearn a class and return what `restore` needs to undo it.

        Raises:
            NotFound: if the head has no such class.
        """
        sums = self._get(class_id)
        del self._sums[class_id]
        self._weights = None
        return sums

    def restore(self, class_id: int, sums: ClassSums, merged_into: int | None = None) -> None:
        """Bring back a class that was rejected, or merged into another; what came since stays.

        Raises:
            NotFound: if the head has no class `merged_into`.
        """
        if merged_into is not None:
            self._sums[merged_into] = self._get(merged_into) - sums
        self._put(class_id, sums)

    def scores(self, embeddings: NDArray[np.floating]) -> Array:
        """Return `(N, C)` scores of `(N, D)` embeddings, near 1 for the class and near 0 for the others.

        Raises:
            BadInput: if the embeddings have another dimension, or are not finite.
        """
        return self._inputs(embeddings) @ self.weights

    def left_out_scores(
        self, embeddings: NDArray[np.floating], class_ids: NDArray[np.int64], weights: NDArray[np.floating]
    ) -> Array:
        """Return `(N, C)` scores of faces that were added, each as if it alone had not been.

        Args:
            embeddings: `(N, D)`, the same as were added.
            class_ids: `(N,)`, the same as were added.
            weights: `(N,)`, the same as were added.

        Raises:
            BadInput: as `add`.

        Source:
            Allen, The relationship between variable selection and data augmentation and a method for
            prediction, Technometrics 1974: the prediction sum of squares, here with weights.
        """
        inputs = self._inputs(embeddings)
        through = cho_solve(cho_factor(self._penalised()), inputs.T).T
        leverage = (weights * (inputs * through).sum(axis=1))[:, None]
        targets = class_ids[:, None] == self.class_ids
        found: Array = (inputs @ self.weights - leverage * targets) / (1 - leverage)
        return found

    def calibrate(self, embeddings: NDArray[np.floating], class_ids: NDArray[np.int64]) -> None:
        """Fit the temperature of the probabilities on `(N,)` faces that were not learned from.

        Raises:
            BadInput: if there are no faces, or a class that the head does not have.
        """
        if not len(class_ids) or not np.isin(class_ids, self.class_ids).all():
            raise BadInput(
                f"analytic head: {len(class_ids)} calibration faces of classes "
                f"{np.unique(class_ids).tolist()}; the head has {self.class_ids.tolist()}. At least one "
                "face, and of these classes only, is expected. Hold out faces of known classes."
            )
        scores = self.scores(embeddings)
        columns = np.searchsorted(self.class_ids, class_ids)[:, None]

        def mean_surprise(log_temperature: float) -> float:
            surprises = -np.take_along_axis(log_softmax(scores / np.exp(log_temperature), axis=1), columns, 1)
            return float(surprises.mean())

        # Ridge scores differ by about 1, so that useful temperatures are well inside these bounds.
        found = minimize_scalar(mean_surprise, bounds=(np.log(1e-3), np.log(10.0)), method="bounded")
        self.temperature = float(np.exp(found.x))

    def probabilities(self, embeddings: NDArray[np.floating]) -> Array:
        """Return `(N, C)` probabilities, as good as the last calibration.

        Raises:
            BadInput: if the embeddings have another dimension, or are not finite.
        """
        likely: Array = softmax(self.scores(embeddings) / self.temperature, axis=1)
        return likely

    def state(self) -> dict[str, NDArray[Any]]:
        """Return everything as named arrays."""
        sums = [self._sums[class_id] for class_id in self.class_ids.tolist()]
        size = self.dimension if self.projection is None else self.projection.shape[1]
        arrays: dict[str, NDArray[Any]] = {
            "class_ids": self.class_ids,
            "second": np.array([one.second for one in sums]).reshape(-1, size, size),
            "first": np.array([one.first for one in sums]).reshape(-1, size),
            "weight": np.array([one.weight for one in sums]),
            "settings": np.array([self.dimension, self.ridge, self.temperature]),
        }
        return arrays if self.projection is None else {**arrays, "projection": self.projection}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> AnalyticHead:
        """Return the head whose `state` this is."""
        dimension, ridge, temperature = state["settings"].tolist()
        head = cls(int(dimension), ridge, state.get("projection"))
        head.temperature = temperature
        columns = zip(
            state["class_ids"].tolist(), state["second"], state["first"], state["weight"], strict=True
        )
        head._sums = {
            class_id: ClassSums(second, first, float(one)) for class_id, second, first, one in columns
        }
        return head

    def _get(self, class_id: int) -> ClassSums:
        if class_id not in self._sums:
            raise NotFound(
                f"analytic head: there is no class {class_id}. Classes there: {self.class_ids.tolist()}. "
                "Name one of these."
            )
        return self._sums[class_id]

    def _put(self, class_id: int, sums: ClassSums) -> None:
        self._sums[class_id] = self._sums[class_id] + sums if class_id in self._sums else sums
        self._weights = None

    def _inputs(self, embeddings: NDArray[np.floating]) -> Array:
        if embeddings.ndim != 2 or embeddings.shape[1] != self.dimension or not np.isfinite(embeddings).all():
            raise BadInput(
                f"analytic head: embeddings of shape {embeddings.shape}, "
                f"{(~np.isfinite(embeddings)).sum()} entries not finite. Finite ones of shape "
                f"(N, {self.dimension}) are expected. Embed with the model version that the head belongs to."
            )
        if self.projection is None:
            return embeddings.astype(np.float64)
        projected: Array = np.maximum(embeddings.astype(np.float64) @ self.projection.astype(np.float64), 0)
        return projected

    def _penalised(self) -> Array:
        if not self._sums:
            raise BadInput("analytic head: there are no classes. At least one is expected. Add faces first.")
        second = np.sum([self._sums[class_id].second for class_id in self.class_ids.tolist()], axis=0)
        penalised: Array = second + self.ridge * np.eye(len(second))
        return penalised

    def _solved(self) -> Array:
        factor = cho_factor(self._penalised())
        first = [self._sums[class_id].first for class_id in self.class_ids.tolist()]
        solution: Array = cho_solve(factor, np.stack(first, axis=1))
        return solution


def random_projection(dimension: int, size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a `(dimension, size)` fixed random map that keeps lengths on average."""
    return rng.standard_normal((dimension, size), np.float32) / np.float32(np.sqrt(size))


def balanced_weights(
    weights: NDArray[np.floating], class_ids: NDArray[np.int64], labelled: frozenset[int]
) -> NDArray[np.floating]:
    """Return the weights of faces with those of small discovered classes raised, so that each has a voice.

    Ridge regression gives the ground between two classes to the one with more faces. A discovered class
    begins with the few that stood out; each of them counts up to the square root of how many more faces
    the smallest labelled class has, half of the way, by powers, to as many.

    Args:
        weights: `(N,)`.
        class_ids: `(N,)` registry ids.
        labelled: ids of the classes that were labelled, some of them among the faces.
    """
    present, inverse, counts = np.unique(class_ids, return_inverse=True, return_counts=True)
    enough = counts[np.isin(present, list(labelled))].min()
    raised: NDArray[np.floating] = weights * np.sqrt(np.maximum(enough / counts, 1))[inverse]
    return raised


def recursive_update(inverse: Array, weights: Array, inputs: Array, targets: Array) -> tuple[Array, Array]:
    """Update a ridge solution by a batch of faces, without the sums.

    Args:
        inverse: `(F, F)` the inverse of `sum of x x^T + ridge I` so far.
        weights: `(F, C_old)` so far.
        inputs: `(B, F)`; a face of weight a has its rows of inputs and targets multiplied by sqrt(a).
        targets: `(B, C)` one-hot with `C >= C_old`; new classes are appended.

    Returns:
        The new `(F, F)` inverse and `(F, C)` weights, equal to the batch solution on all faces.

    Raises:
        BadInput: if the targets have fewer classes than the weights.
    """
    num_new = targets.shape[1] - weights.shape[1]
    if num_new < 0:
        raise BadInput(
            f"recursive update: targets of {targets.shape[1]} classes, but weights of {weights.shape[1]}. "
            "As many or more are expected. Give targets of every class."
        )
    weights = np.pad(weights, ((0, 0), (0, num_new)))
    through = inputs @ inverse
    gain = np.linalg.solve(np.eye(len(inputs)) + through @ inputs.T, through)
    inverse = inverse - through.T @ gain
    # Rounding would let the inverse drift away from symmetry, and from being an inverse.
    inverse = (inverse + inverse.T) / 2
    return inverse, weights + inverse @ inputs.T @ (targets - inputs @ weights)


def _sums(inputs: Array, weights: Array) -> ClassSums:
    weighted = weights[:, None] * inputs
    return ClassSums(weighted.T @ inputs, weighted.sum(axis=0), float(weights.sum()))
