"""Which faces make a batch: endless streams of row numbers, half labelled or at a chosen share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from owcl.errors import BadInput


class AlternatingSampler:
    """Unlabelled, labelled, unlabelled, labelled and so on, without end.

    Unlabelled rows come in one fixed order, round and round. A labelled turn takes the class drawn least
    often so far, at random among equals, and the next of its rows in their own fixed order. So labelled
    rows are balanced over classes and unlabelled rows keep their natural shares.

    Args:
        labels: `(N,)` class ids, -1 where unlabelled; some of both.
        rng: draws the orders.

    Raises:
        BadInput: if no row is labelled, or none is unlabelled.

    Source:
        The code released with Contrastive Pseudo Learning for Open-World DeepFake Attribution,
        ICCV 2023.
    """

    def __init__(self, labels: NDArray[np.int64], rng: np.random.Generator) -> None:
        _check_present(labels, needs_labelled=True, needs_unlabelled=True)
        self._unlabelled = Round(np.flatnonzero(labels < 0), rng, shuffle_again=False)
        self._labelled = _Balanced(labels, rng, shuffle_again=False)
        self._taken = 0

    def take(self, count: int) -> NDArray[np.int64]:
        """Return the next `(count,)` row numbers; an even count holds as many of one kind as the other."""
        rows = np.empty(count, np.int64)
        first = self._taken % 2
        rows[first::2] = self._unlabelled.take(len(rows[first::2]))
        rows[1 - first :: 2] = self._labelled.take(len(rows[1 - first :: 2]))
        self._taken += count
        return rows


def drawn_evenly(labels: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw `(count,)` rows with replacement, each labelled at even odds, as CAL and SimGCD do.

    Args:
        labels: `(N,)` class ids, -1 where unlabelled; some of both.
        count: how many.
        rng: draws.

    Raises:
        BadInput: if no row is labelled, or none is unlabelled.
    """
    _check_present(labels, needs_labelled=True, needs_unlabelled=True)
    labelled, unlabelled = np.flatnonzero(labels >= 0), np.flatnonzero(labels < 0)
    return np.where(rng.random(count) < 0.5, rng.choice(labelled, count), rng.choice(unlabelled, count))


def epoch_sizes(count: int, size: int) -> list[int]:
    """Return the sizes of the batches of one epoch of `count` faces; the last one is what is left.

    One face alone is left out, because batch normalisation needs two.
    """
    rest = count % size
    return [size] * (count // size) + [rest] * (rest > 1)


class ShareSampler:
    """Batches with a chosen share of labelled rows, in an order that is shuffled in every round.

    Args:
        labels: `(N,)` class ids, -1 where unlabelled.
        labelled_share: in [0, 1]; labelled rows are balanced over classes.
        rng: draws the orders.

    Raises:
        BadInput: if the share is out of range, or asks for rows of a kind of which there are none.
    """

    def __init__(self, labels: NDArray[np.int64], labelled_share: float, rng: np.random.Generator) -> None:
        if not 0 <= labelled_share <= 1:
            raise BadInput(
                f"sampler: a labelled share of {labelled_share}. A number from 0 to 1 is expected. "
                "Choose 0.5 for halves."
            )
        _check_present(labels, needs_labelled=labelled_share > 0, needs_unlabelled=labelled_share < 1)
        self.labelled_share = labelled_share
        self._unlabelled = Round(np.flatnonzero(labels < 0), rng, shuffle_again=True)
        self._labelled = _Balanced(labels, rng, shuffle_again=True)

    def take(self, count: int) -> NDArray[np.int64]:
        """Return the next `(count,)` row numbers, labelled ones first."""
        num_labelled = round(count * self.labelled_share)
        return np.concatenate(
            [self._labelled.take(num_labelled), self._unlabelled.take(count - num_labelled)]
        )


class Round:
    """Goes through its items round and round, each once a round."""

    def __init__(self, items: NDArray[np.int64], rng: np.random.Generator, *, shuffle_again: bool) -> None:
        self._order = rng.permutation(items)
        self._next = 0
        self._rng = rng
        self._shuffle_again = shuffle_again

    def take(self, count: int) -> NDArray[np.int64]:
        """Return the next `(count,)` items; a new round begins where one ends."""
        taken = [np.empty(0, np.int64)]
        while count:
            part = self._order[self._next : self._next + count]
            taken.append(part)
            count -= len(part)
            self._next += len(part)
            if self._next == len(self._order):
                self._next = 0
                if self._shuffle_again:
                    self._order = self._rng.permutation(self._order)
        return np.concatenate(taken)


class _Balanced:
    """Draws rows class by class, so that totals of two classes never differ by more than one."""

    def __init__(self, labels: NDArray[np.int64], rng: np.random.Generator, *, shuffle_again: bool) -> None:
        self._rows = {
            int(label): Round(np.flatnonzero(labels == label), rng, shuffle_again=shuffle_again)
            for label in np.unique(labels[labels >= 0])
        }
        # Least drawn first, at random among equals, is the same as rounds in which each comes once.
        self._classes = Round(np.array(list(self._rows), np.int64), rng, shuffle_again=True)

    def take(self, count: int) -> NDArray[np.int64]:
        labels = self._classes.take(count)
        rows = np.empty(count, np.int64)
        for label in np.unique(labels):
            turns = labels == label
            rows[turns] = self._rows[int(label)].take(int(turns.sum()))
        return rows


def _check_present(labels: NDArray[np.int64], *, needs_labelled: bool, needs_unlabelled: bool) -> None:
    num_labelled = int((labels >= 0).sum())
    num_unlabelled = len(labels) - num_labelled
    if (needs_labelled and not num_labelled) or (needs_unlabelled and not num_unlabelled):
        raise BadInput(
            f"sampler: {num_labelled} labelled and {num_unlabelled} unlabelled faces. At least one of each "
            "kind that a batch holds is expected. Add faces or change the labelled share."
        )
