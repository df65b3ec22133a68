from __future__ import annotations

import numpy as np
import pytest

from owcl.errors import BadInput, NotFound
from owcl.types import Embeddings
from storage import embeddings
from storage.store import Store


def unit_rows(rng: np.random.Generator, count: int) -> np.ndarray:
    rows = rng.normal(size=(count, 7)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_vectors_come_back_bit_for_bit_in_the_order_asked_for(
    filled: Store, rng: np.random.Generator
) -> None:
    vectors = unit_rows(rng, 5)
    with filled.transaction() as transaction:
        embeddings.write(transaction, Embeddings(np.array([9, 2, 4, 1, 7]), vectors, 1))
    with filled.reading() as transaction:
        found = embeddings.read(transaction, 1, np.array([7, 9, 7]))
        everything = embeddings.read(transaction, 1)
    np.testing.assert_array_equal(found.vectors, vectors[[4, 0, 4]])
    np.testing.assert_array_equal(everything.face_ids, [1, 2, 4, 7, 9])
    np.testing.assert_array_equal(everything.vectors, vectors[[3, 1, 2, 4, 0]])
    assert everything.vectors.dtype == np.float32


def test_model_versions_do_not_mix(filled: Store, rng: np.random.Generator) -> None:
    first, second = unit_rows(rng, 2), unit_rows(rng, 1)
    with filled.transaction() as transaction:
        embeddings.write(transaction, Embeddings(np.array([1, 2]), first, 1))
        embeddings.write(transaction, Embeddings(np.array([2]), second, 2))
        np.testing.assert_array_equal(embeddings.read(transaction, 2).vectors, second)
        assert embeddings.missing(transaction, 2).tolist() == [1, 3, 4, 5, 6, 7, 8, 9, 10]
        assert embeddings.missing(transaction, 1, experience=0).tolist() == [3, 4, 5]
        assert [embeddings.count(transaction, version) for version in (1, 2, 3)] == [2, 1, 0]


def test_a_face_keeps_the_vector_it_has(filled: Store, rng: np.random.Generator) -> None:
    vectors = unit_rows(rng, 2)
    with filled.transaction() as transaction:
        embeddings.write(transaction, Embeddings(np.array([3]), vectors[:1], 1))
        embeddings.write(transaction, Embeddings(np.array([3, 4]), vectors[::-1], 1))
        np.testing.assert_array_equal(embeddings.read(transaction, 1).vectors, vectors[[0, 0]])


def test_what_is_missing_is_named(filled: Store) -> None:
    with filled.reading() as transaction, pytest.raises(NotFound, match="the first of them face 3"):
        embeddings.read(transaction, 1, np.array([5, 3]))


def test_no_faces_give_no_vectors(filled: Store) -> None:
    with filled.reading() as transaction:
        assert embeddings.read(transaction, 1).vectors.shape == (0, 0)


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (np.zeros((1, 4)), r"2 face ids but vectors of shape \(1, 4\)"),
        (np.array([[0.0, 1.0], [np.nan, 1.0]]), "1 of 2 vectors hold NaN .* that of face 2"),
    ],
)
def test_unusable_vectors_are_refused(filled: Store, vectors: np.ndarray, words: str) -> None:
    with filled.transaction() as transaction, pytest.raises(BadInput, match=words):
        embeddings.write(transaction, Embeddings(np.array([1, 2]), vectors, 1))
