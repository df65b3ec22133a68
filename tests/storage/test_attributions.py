from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import Connection

from owcl.errors import BadInput
from owcl.types import UNKNOWN, Attributions
from storage import attributions, classes
from storage.store import Store


def attribute(
    transaction: Connection, class_of: dict[int, int], model_version: int = 1, probability: float = 0.5
) -> None:
    columns = (
        np.array(list(class_of)),
        np.array(list(class_of.values())),
        np.full(len(class_of), probability),
        np.full(len(class_of), 0.25),
    )
    attributions.write(transaction, Attributions(*columns, model_version=model_version))


def by_face(found: Attributions) -> dict[int, int]:
    return dict(zip(found.face_ids.tolist(), found.class_ids.tolist(), strict=True))


def test_the_newest_counts_and_the_first_is_kept(filled: Store) -> None:
    with filled.transaction() as transaction:
        a, b = classes.create(transaction, "a"), classes.create(transaction, "b")
        attribute(transaction, {8: UNKNOWN, 6: a, 1: b}, model_version=1, probability=0.5)
        attribute(transaction, {8: b, 7: a}, model_version=2, probability=0.75)
        assert by_face(attributions.current(transaction)) == {1: b, 6: a, 7: a, 8: b}
        assert by_face(attributions.current(transaction, experience=1)) == {6: a, 7: a, 8: b}
        assert by_face(attributions.first_sight(transaction, experience=1)) == {6: a, 7: a, 8: UNKNOWN}
        assert attributions.current(transaction).probabilities.tolist() == [0.5, 0.5, 0.75, 0.75]
        assert attributions.current(transaction).model_version == 2
        assert by_face(attributions.of_faces(transaction, np.array([8, 1, 2]))) == {1: b, 8: b}


def test_faces_of_a_merged_class_count_for_what_it_stands_for_but_first_sight_stays(filled: Store) -> None:
    with filled.transaction() as transaction:
        a, b = classes.create(transaction, "a"), classes.create(transaction, "b")
        attribute(transaction, {6: b})
        classes.merge(transaction, b, into=a)
        assert by_face(attributions.current(transaction)) == {6: a}
        assert by_face(attributions.first_sight(transaction)) == {6: b}


def test_no_attribution_gives_empty_columns(filled: Store) -> None:
    with filled.transaction() as transaction:
        attribute(transaction, {})
        found = attributions.current(transaction)
    assert (found.face_ids.size, found.class_ids.dtype, found.model_version) == (0, np.int64, 0)


def test_columns_of_unequal_length_and_shares_outside_their_range_are_refused(filled: Store) -> None:
    ids, share = np.array([6, 7]), np.array([0.5, 0.5])
    with filled.transaction() as transaction:
        with pytest.raises(BadInput, match="2 face ids, 1 class ids"):
            attributions.write(transaction, Attributions(ids, np.array([-1]), share, share, 1))
        with pytest.raises(BadInput, match=r"p-values of face 7 is nan. A number in \[0, 1\]"):
            attributions.write(transaction, Attributions(ids, -ids // ids, share, np.array([0.1, np.nan]), 1))
