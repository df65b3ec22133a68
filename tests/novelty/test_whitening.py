"""The metric of the pool: the scatter within known classes becomes the unit."""

from __future__ import annotations

import numpy as np
import pytest

from owcl.errors import BadInput
from owcl.novelty.counting.density import clusters
from owcl.novelty.counting.partitions import numbered, reduced
from owcl.novelty.whitening import WithinClassWhitening


def known_faces(rng: np.random.Generator, scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(np.arange(4), 200)
    centres = 3 * rng.standard_normal((4, len(scales)))
    noise = scales * rng.standard_normal((800, len(scales)))
    return (centres[labels] + noise).astype(np.float32), labels


def test_two_methods_that_a_loud_nuisance_hides_are_told_apart_after_whitening() -> None:
    rng = np.random.default_rng(0)
    scales = np.concatenate([np.full(6, 5.0), np.full(6, 0.1)])
    known, labels = known_faces(rng, scales)
    truth = np.repeat([0, 1], 150)
    shift = np.zeros(12)
    shift[8] = 1.2
    pool = (truth[:, None] * shift + scales * rng.standard_normal((300, 12))).astype(np.float32)

    def found_in(points: np.ndarray) -> np.ndarray:
        return numbered(clusters(reduced(points)), 30)

    whitened = found_in(WithinClassWhitening().fit(known, labels).transform(pool))
    assert found_in(pool).max() + 1 != 2
    assert whitened.max() + 1 == 2
    assigned = whitened >= 0
    agreed = np.mean(whitened[assigned] == truth[assigned])
    assert max(agreed, 1 - agreed) > 0.95


def test_whitening_can_be_taken_back(rng: np.random.Generator) -> None:
    known, labels = known_faces(rng, np.array([5.0, 1.0, 0.1]))
    metric = WithinClassWhitening().fit(known, labels)
    centred = known - known.mean(axis=0)
    directions = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(metric.inverse(metric.transform(known)), directions, atol=1e-4)


def test_directions_count_by_how_little_known_classes_vary_in_them() -> None:
    labels = np.repeat([0, 1], 2000)
    scales = np.array([4.0, 0.5])
    rng = np.random.default_rng(0)
    known = (labels[:, None] * 7 + scales * rng.standard_normal((4000, 2))).astype(np.float32)
    fitted = WithinClassWhitening().fit(known, labels)
    centre = known.mean(axis=0)
    along, across = fitted.transform((centre + np.array([[4.0, 0.0], [0.0, 0.5]])).astype(np.float32))
    both = fitted.transform((centre + np.array([[4.0, 0.5]])).astype(np.float32))[0]
    # One standard deviation each way is equally long, so that the sum lies half-way between the two.
    assert both @ along == pytest.approx(np.sqrt(0.5), abs=0.03)
    assert both @ across == pytest.approx(np.sqrt(0.5), abs=0.03)


def test_vectors_have_unit_length() -> None:
    rng = np.random.default_rng(0)
    known, labels = known_faces(rng, np.ones(12))
    vectors = WithinClassWhitening().fit(known, labels).transform(known[:50])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_single_faces_say_nothing_of_what_varies_within_a_class() -> None:
    with pytest.raises(BadInput, match="3 faces of 3 classes, none with two"):
        WithinClassWhitening().fit(np.eye(3, dtype=np.float32), np.arange(3))


def test_an_entry_that_is_not_finite_is_refused() -> None:
    with pytest.raises(BadInput, match="1 entries of the embeddings are not finite"):
        WithinClassWhitening().fit(np.array([[np.nan, 1], [0, 1]], np.float32), np.zeros(2, np.int64))
