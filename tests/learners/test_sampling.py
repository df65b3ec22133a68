from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from owcl.errors import BadInput
from owcl.learners.sampling import AlternatingSampler, ShareSampler, epoch_sizes


@pytest.fixture
def labels() -> NDArray[np.int64]:
    """Three classes of unequal size, with ids of the registry, and forty unlabelled faces."""
    return np.repeat([2, 5, 11, -1], [5, 10, 25, 40])


def test_the_stream_does_not_depend_on_how_it_is_cut(labels: NDArray[np.int64]) -> None:
    whole = AlternatingSampler(labels, np.random.default_rng(1)).take(90)
    pieces = AlternatingSampler(labels, np.random.default_rng(1))
    cut = np.concatenate([pieces.take(count) for count in (7, 1, 0, 32, 50)])
    np.testing.assert_array_equal(whole, cut)


def test_unlabelled_rows_keep_one_order_over_rounds(
    labels: NDArray[np.int64], rng: np.random.Generator
) -> None:
    unlabelled = AlternatingSampler(labels, rng).take(160)[0::2]
    np.testing.assert_array_equal(unlabelled[:40], unlabelled[40:])


def test_labelled_rows_of_a_class_all_come_before_one_comes_again(
    labels: NDArray[np.int64], rng: np.random.Generator
) -> None:
    rows = AlternatingSampler(labels, rng).take(2 * 75)[1::2]
    for class_id, size in ((2, 5), (5, 10), (11, 25)):
        assert len(np.unique(rows[labels[rows] == class_id][:size])) == size


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_batches_hold_the_chosen_share(
    labels: NDArray[np.int64], share: float, rng: np.random.Generator
) -> None:
    sampler = ShareSampler(labels, share, rng)
    for _ in range(5):
        assert (labels[sampler.take(32)] >= 0).sum() == 32 * share


def test_shuffled_rounds_differ_but_hold_everybody(
    labels: NDArray[np.int64], rng: np.random.Generator
) -> None:
    first, second = (sampler := ShareSampler(labels, 0.0, rng)).take(40), sampler.take(40)
    assert sorted(first) == sorted(second) == np.flatnonzero(labels < 0).tolist()
    assert (first != second).any()


def test_labelled_rows_are_balanced_over_classes(labels: NDArray[np.int64], rng: np.random.Generator) -> None:
    drawn = labels[ShareSampler(labels, 1.0, rng).take(300)]
    assert np.unique(drawn, return_counts=True)[1].tolist() == [100, 100, 100]


@pytest.mark.parametrize("only", [-1, 3])
def test_a_batch_of_two_kinds_needs_both(only: int, rng: np.random.Generator) -> None:
    with pytest.raises(BadInput, match="At least one of each kind"):
        AlternatingSampler(np.full(9, only), rng)


def test_a_share_is_a_share(labels: NDArray[np.int64], rng: np.random.Generator) -> None:
    with pytest.raises(BadInput, match=r"a labelled share of 50\. A number from 0 to 1"):
        ShareSampler(labels, 50, rng)


def test_an_epoch_ends_with_what_is_left_unless_it_is_one_face() -> None:
    assert epoch_sizes(300, 128) == [128, 128, 44]
    assert epoch_sizes(256, 128) == [128, 128]
    assert epoch_sizes(257, 128) == [128, 128]
