from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load, save
from sklearn.linear_model import Ridge

from owcl.errors import BadInput, NotFound
from owcl.memory.analytic import AnalyticHead, balanced_weights, random_projection, recursive_update

Faces = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]


@pytest.fixture
def faces(rng: np.random.Generator) -> Faces:
    """Sixty unit embeddings of classes 3, 8 and 20 with weights between a half and one."""
    class_ids = np.repeat([3, 8, 20], 20)
    centres = rng.standard_normal((3, 6))
    embeddings = np.repeat(centres, 20, axis=0) + 0.5 * rng.standard_normal((60, 6))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings.astype(np.float32), class_ids, rng.uniform(0.5, 1, 60)


def fitted(faces: Faces) -> AnalyticHead:
    head = AnalyticHead(6)
    head.add(*faces)
    return head


def test_the_head_is_a_weighted_ridge_regression(faces: Faces) -> None:
    embeddings, class_ids, weights = faces
    reference = Ridge(0.1, fit_intercept=False)
    targets = (class_ids[:, None] == [3, 8, 20]).astype(float)
    reference.fit(embeddings.astype(np.float64), targets, sample_weight=weights)
    np.testing.assert_allclose(fitted(faces).weights, reference.coef_.T, atol=1e-9)


def test_the_order_of_arrival_does_not_matter(faces: Faces, rng: np.random.Generator) -> None:
    head = AnalyticHead(6)
    for part in np.array_split(rng.permutation(60), 7):
        head.add(*(column[part] for column in faces))
    np.testing.assert_allclose(head.weights, fitted(faces).weights, atol=1e-10)


def test_the_recursive_form_never_drifts_from_the_batch_solution(faces: Faces) -> None:
    embeddings, class_ids, weights = faces
    roots = np.sqrt(weights)[:, None]
    inputs = roots * embeddings.astype(np.float64)
    targets = roots * (class_ids[:, None] == [3, 8, 20])
    inverse, solution = np.eye(6) / 0.1, np.zeros((6, 0))
    for start in range(0, 60, 5):
        # The classes come one after the other, and the head grows with them.
        seen = 1 + start // 20
        rows = slice(start, start + 5)
        inverse, solution = recursive_update(inverse, solution, inputs[rows], targets[rows, :seen])
    np.testing.assert_allclose(solution, fitted(faces).weights, atol=1e-9)


def test_a_head_that_shrank_is_refused() -> None:
    with pytest.raises(BadInput, match="targets of 1 classes, but weights of 2"):
        recursive_update(np.eye(2), np.eye(2), np.ones((1, 2)), np.ones((1, 1)))


def test_moving_faces_is_relabelling_them_and_moving_back_undoes_it(faces: Faces) -> None:
    embeddings, class_ids, weights = faces
    head, moved = fitted(faces), slice(0, 9)
    head.move(embeddings[moved], weights[moved], 3, 99)
    relabelled = class_ids.copy()
    relabelled[moved] = 99
    np.testing.assert_allclose(head.weights, fitted((embeddings, relabelled, weights)).weights, atol=1e-10)
    head.move(embeddings[moved], weights[moved], 99, 3)
    head.reject(99)
    np.testing.assert_allclose(head.weights, fitted(faces).weights, atol=1e-10)


def test_a_face_is_left_out_as_if_it_had_never_been_added(faces: Faces) -> None:
    found = fitted(faces).left_out_scores(*faces)
    for row in (0, 7, 19):
        embeddings, class_ids, weights = (np.delete(part, row, axis=0) for part in faces)
        others = fitted((embeddings, class_ids, weights))
        assert np.allclose(found[row], others.scores(faces[0][row : row + 1])[0])


def test_undoing_a_merge_keeps_what_came_since(faces: Faces) -> None:
    embeddings, class_ids, weights = faces
    early = class_ids != 8
    early[25:] = True
    head = fitted(tuple(column[early] for column in faces))  # type: ignore[arg-type]
    merged = head.merge(20, 8)
    head.add(embeddings[~early], class_ids[~early], weights[~early])
    head.restore(20, merged, merged_into=8)
    np.testing.assert_allclose(head.weights, fitted(faces).weights, atol=1e-10)


def test_undoing_a_rejection_is_exact(faces: Faces) -> None:
    head = fitted(faces)
    before = head.weights
    head.restore(8, head.reject(8))
    np.testing.assert_array_equal(head.weights, before)


def test_columns_are_in_order_of_the_class_ids(faces: Faces) -> None:
    embeddings, class_ids, _ = faces
    head = fitted(faces)
    assert head.class_ids.tolist() == [3, 8, 20]
    assert (head.class_ids[head.scores(embeddings).argmax(axis=1)] == class_ids).mean() > 0.8


def test_calibration_finds_the_likeliest_temperature(faces: Faces) -> None:
    embeddings, class_ids, _ = faces
    head = fitted(faces)
    head.calibrate(embeddings, class_ids)
    columns = np.searchsorted(head.class_ids, class_ids)

    def surprise(temperature: float) -> float:
        head.temperature = temperature
        return float(-np.log(head.probabilities(embeddings)[np.arange(60), columns]).mean())

    found = head.temperature
    assert surprise(found) <= min(surprise(found * 0.9), surprise(found * 1.1), surprise(1.0))
    np.testing.assert_allclose(head.probabilities(embeddings).sum(axis=1), 1)


@pytest.mark.parametrize("projected", [False, True])
def test_a_saved_head_answers_the_same(faces: Faces, rng: np.random.Generator, projected: bool) -> None:
    head = AnalyticHead(6, 0.2, random_projection(6, 11, rng) if projected else None)
    head.add(*faces)
    head.calibrate(faces[0], faces[1])
    again = AnalyticHead.from_state(load(save(head.state())))
    np.testing.assert_array_equal(again.probabilities(faces[0]), head.probabilities(faces[0]))
    again.reject(3)
    assert again.class_ids.tolist() == [8, 20]


def test_an_empty_head_is_saved_too() -> None:
    assert AnalyticHead.from_state(AnalyticHead(4).state()).class_ids.tolist() == []


def test_a_projection_separates_what_no_line_does(rng: np.random.Generator) -> None:
    embeddings = rng.standard_normal((400, 2)).astype(np.float32)
    class_ids = (embeddings.prod(axis=1) > 0).astype(np.int64)

    def accuracy(head: AnalyticHead) -> float:
        head.add(embeddings, class_ids, np.ones(400))
        return float((head.scores(embeddings).argmax(axis=1) == class_ids).mean())

    assert accuracy(AnalyticHead(2)) < 0.7
    assert accuracy(AnalyticHead(2, projection=random_projection(2, 64, rng))) > 0.9


def test_faces_of_a_discovered_class_with_fewer_than_any_labelled_one_weigh_more() -> None:
    class_ids = np.repeat([1, 2, 7, 8], [9, 36, 1, 20])
    weights = np.where(class_ids == 7, 0.5, 1.0)
    found = balanced_weights(weights, class_ids, frozenset({1, 2}))
    # Class 7 has a ninth of the smallest labelled class; class 8 has more than that one.
    np.testing.assert_allclose(found, np.where(class_ids == 7, 1.5, 1.0))


def test_input_is_left_alone(faces: Faces) -> None:
    copies = [column.copy() for column in faces]
    fitted(faces).scores(faces[0])
    for column, copy in zip(faces, copies, strict=True):
        np.testing.assert_array_equal(column, copy)


def test_unknown_classes_are_not_found(faces: Faces) -> None:
    head = fitted(faces)
    for action in (lambda: head.reject(5), lambda: head.merge(3, 5), lambda: head.merge(5, 3)):
        with pytest.raises(NotFound, match=r"there is no class 5. Classes there: \[3, 8, 20\]"):
            action()
    assert head.class_ids.tolist() == [3, 8, 20]


def test_other_embeddings_are_refused(faces: Faces) -> None:
    head = fitted(faces)
    with pytest.raises(
        BadInput, match=r"shape \(4, 5\), 0 entries not finite. Finite ones of shape \(N, 6\)"
    ):
        head.scores(np.zeros((4, 5)))
    with pytest.raises(BadInput, match="6 entries not finite"):
        head.add(np.full((1, 6), np.nan), np.array([3]), np.ones(1))


def test_calibration_needs_faces_of_its_classes(faces: Faces) -> None:
    head = fitted(faces)
    with pytest.raises(BadInput, match=r"of classes \[4\]; the head has \[3, 8, 20\]"):
        head.calibrate(faces[0][:1], np.array([4]))


def test_a_head_without_classes_has_no_answer() -> None:
    with pytest.raises(BadInput, match="there are no classes"):
        AnalyticHead(3).scores(np.zeros((1, 3)))
