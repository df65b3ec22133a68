from __future__ import annotations

import numpy as np
import pytest

from owcl.errors import BadInput
from owcl.memory.replay import (
    LABELLED,
    OPERATOR_LABELLED,
    PSEUDO_LABELLED,
    Exemplars,
    ReplayMemory,
    shares,
)


def exemplars(face_ids: range, class_id: int, origin: int = LABELLED, weight: float = 1.0) -> Exemplars:
    """Faces of one class whose pixels all show their id."""
    ids = np.array(face_ids, np.int64)
    return Exemplars(
        ids,
        np.ones((len(ids), 3, 2, 2), np.uint8) * ids[:, None, None, None].astype(np.uint8),
        np.full(len(ids), class_id),
        np.full(len(ids), weight, np.float32),
        np.full(len(ids), origin, np.int8),
    )


def earliest(candidates: Exemplars, count: int) -> np.ndarray:
    return np.argsort(candidates.face_ids)[:count]


def latest(candidates: Exemplars, count: int) -> np.ndarray:
    return np.argsort(-candidates.face_ids)[:count]


def remembered(memory: ReplayMemory) -> dict[int, list[int]]:
    """Face ids by class, after checking that every row still belongs together."""
    assert memory.exemplars is not None
    assert (memory.exemplars.images[:, 0, 0, 0] == memory.exemplars.face_ids).all()
    return {
        int(class_id): sorted(memory.exemplars.face_ids[memory.exemplars.class_ids == class_id].tolist())
        for class_id in memory.class_ids
    }


@pytest.fixture
def memory() -> ReplayMemory:
    """Three faces of class 4 and two of class 7, at most four each."""
    memory = ReplayMemory(per_class=4)
    memory.add(exemplars(range(3), 4), earliest)
    memory.add(exemplars(range(10, 12), 7), earliest)
    return memory


def test_a_class_never_has_more_than_its_share(memory: ReplayMemory) -> None:
    memory.add(exemplars(range(20, 40), 4), latest)
    assert remembered(memory) == {4: [36, 37, 38, 39], 7: [10, 11]}


def test_an_operators_label_is_never_evicted_by_a_pseudo_label(memory: ReplayMemory) -> None:
    memory.add(exemplars(range(20, 23), 4, OPERATOR_LABELLED), latest)
    memory.add(exemplars(range(50, 90), 4, PSEUDO_LABELLED, 0.9), latest)
    assert remembered(memory)[4] == [20, 21, 22, 89]


def test_operators_labels_compete_among_themselves(memory: ReplayMemory) -> None:
    memory.add(exemplars(range(20, 29), 4, OPERATOR_LABELLED), earliest)
    assert remembered(memory)[4] == [20, 21, 22, 23]


def test_a_pseudo_label_does_not_replace_a_label(memory: ReplayMemory) -> None:
    memory.add(exemplars(range(1, 3), 7, PSEUDO_LABELLED, 0.9), earliest)
    assert remembered(memory) == {4: [0, 1, 2], 7: [10, 11]}


def test_a_label_replaces_what_was_there(memory: ReplayMemory) -> None:
    memory.add(exemplars(range(1, 3), 7, OPERATOR_LABELLED), earliest)
    assert remembered(memory) == {4: [0], 7: [1, 2, 10, 11]}


def test_improbable_pseudo_labels_are_passed_over(memory: ReplayMemory) -> None:
    memory.add(exemplars(range(20, 22), 7, PSEUDO_LABELLED, 0.49), earliest)
    assert remembered(memory)[7] == [10, 11]
    memory.add(exemplars(range(20, 22), 7, PSEUDO_LABELLED, 0.5), earliest)
    assert remembered(memory)[7] == [10, 11, 20, 21]


def test_merging_moves_the_faces_within_the_share(memory: ReplayMemory) -> None:
    memory.merge(7, 4, earliest)
    assert remembered(memory) == {4: [0, 1, 2, 10]}


def test_rejecting_forgets_the_class(memory: ReplayMemory) -> None:
    memory.reject(4)
    assert remembered(memory) == {7: [10, 11]}


def test_what_was_saved_comes_back(memory: ReplayMemory) -> None:
    again = ReplayMemory(per_class=4)
    again.restore(memory.state())
    assert remembered(again) == remembered(memory)
    again.restore({})
    assert len(again) == 0


def test_a_total_is_shared_out_anew_when_classes_come(memory: ReplayMemory) -> None:
    memory = ReplayMemory(total=9)
    memory.add(exemplars(range(20), 4), earliest)
    assert {key: len(ids) for key, ids in remembered(memory).items()} == {4: 9}
    memory.add(exemplars(range(20, 40), 7), earliest)
    assert {key: len(ids) for key, ids in remembered(memory).items()} == {4: 5, 7: 4}


def test_two_hundred_places_for_nine_classes() -> None:
    assert shares(200, 9).tolist() == [23, 23] + [22] * 7
    assert shares(5, 0).tolist() == []


def test_fewer_places_than_classes_are_refused() -> None:
    with pytest.raises(BadInput, match="3 faces in all for 4 classes"):
        shares(3, 4)


def test_an_empty_memory_answers() -> None:
    memory = ReplayMemory()
    memory.rebalance(earliest)
    memory.reject(1)
    memory.merge(1, 2, earliest)
    assert len(memory) == 0
    assert memory.state() == {}
    assert memory.class_ids.tolist() == []


def test_faces_are_not_changed_in_place(memory: ReplayMemory) -> None:
    arrivals = exemplars(range(30, 32), 9)
    memory.add(arrivals, earliest)
    memory.merge(9, 7, earliest)
    assert arrivals.class_ids.tolist() == [9, 9]


def test_a_face_that_comes_twice_is_refused(memory: ReplayMemory) -> None:
    twice = exemplars(range(30, 32), 9).take(np.array([0, 0]))
    with pytest.raises(BadInput, match="2 rows for 1 faces"):
        memory.add(twice, earliest)


def test_images_of_another_size_are_refused(memory: ReplayMemory) -> None:
    arrivals = exemplars(range(30, 32), 9)
    larger = Exemplars(**{**vars(arrivals), "images": np.zeros((2, 3, 5, 5), np.uint8)})
    with pytest.raises(BadInput, match=r"images of shape \(3, 5, 5\), but \(3, 2, 2\) are remembered"):
        memory.add(larger, earliest)


def test_columns_of_unequal_length_are_refused(memory: ReplayMemory) -> None:
    arrivals = exemplars(range(30, 32), 9)
    with pytest.raises(BadInput, match="One row for each face is expected"):
        memory.add(Exemplars(**{**vars(arrivals), "weights": np.ones(3, np.float32)}), earliest)
