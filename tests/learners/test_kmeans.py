from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from owcl.errors import BadInput
from owcl.learners.kmeans import Partition, head_start, match_clusters, semi_supervised_kmeans

TRUTH = np.repeat(np.arange(6), 40)


@pytest.fixture
def features(rng: np.random.Generator) -> NDArray[np.float32]:
    """Six classes of forty unit vectors around random directions."""
    blurred = rng.standard_normal((6, 16))[TRUTH] + 0.3 * rng.standard_normal((240, 16))
    return (blurred / np.linalg.norm(blurred, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def labels() -> NDArray[np.int64]:
    """Half of each of the first three classes is labelled."""
    return np.where((TRUTH < 3) & (np.arange(240) % 2 == 0), TRUTH, -1)


def test_known_classes_keep_their_ids_and_novel_ones_are_found(
    features: NDArray[np.float32], labels: NDArray[np.int64], rng: np.random.Generator
) -> None:
    found = semi_supervised_kmeans(features, labels, 6, rng).assignments
    assert (found[TRUTH < 3] == TRUTH[TRUTH < 3]).all()
    novel = {int(truth): np.unique(found[truth == TRUTH]).tolist() for truth in (3, 4, 5)}
    assert sorted(novel.values()) == [[3], [4], [5]]


def test_a_labelled_face_stays_in_its_class_wherever_it_lies(
    features: NDArray[np.float32], labels: NDArray[np.int64], rng: np.random.Generator
) -> None:
    labels[200] = 0
    assert semi_supervised_kmeans(features, labels, 6, rng).assignments[200] == 0


def test_centres_and_inertia_are_those_of_the_members(
    features: NDArray[np.float32], labels: NDArray[np.int64], rng: np.random.Generator
) -> None:
    found = semi_supervised_kmeans(features, labels, 6, rng)
    means = np.stack([features[found.assignments == cluster].mean(axis=0) for cluster in range(6)])
    np.testing.assert_allclose(found.centres, means, atol=1e-4)
    inertia = np.square(features - found.centres[found.assignments]).sum()
    assert found.inertia == pytest.approx(inertia, rel=1e-4)


def test_without_labels_it_is_plain_kmeans(features: NDArray[np.float32], rng: np.random.Generator) -> None:
    ours = semi_supervised_kmeans(features, np.full(240, -1), 6, rng)
    reference = KMeans(6, n_init=10, random_state=0).fit(features)
    assert ours.inertia == pytest.approx(reference.inertia_, rel=1e-3)


def test_without_novel_classes_faces_go_to_the_nearest_known_one(
    features: NDArray[np.float32], labels: NDArray[np.int64], rng: np.random.Generator
) -> None:
    found = semi_supervised_kmeans(features, labels, 3, rng)
    assert (found.assignments[TRUTH < 3] == TRUTH[TRUTH < 3]).all()
    assert set(found.assignments.tolist()) == {0, 1, 2}


def test_the_same_rng_gives_the_same_partition(
    features: NDArray[np.float32], labels: NDArray[np.int64]
) -> None:
    def run() -> Partition:
        return semi_supervised_kmeans(features, labels, 6, np.random.default_rng(8))

    np.testing.assert_array_equal(run().assignments, run().assignments)


def test_identical_faces_do_not_break_the_draw_of_starts(rng: np.random.Generator) -> None:
    same = np.tile(np.array([[1.0, 0.0]], np.float32), (9, 1))
    found = semi_supervised_kmeans(same, np.array([0] + [-1] * 8), 3, rng)
    assert found.inertia == pytest.approx(0, abs=1e-6)
    assert np.isfinite(found.centres).all()


@pytest.mark.parametrize("num_clusters", [2, 300])
def test_impossible_numbers_of_clusters_are_refused(
    features: NDArray[np.float32], labels: NDArray[np.int64], rng: np.random.Generator, num_clusters: int
) -> None:
    with pytest.raises(BadInput, match=f"{num_clusters} clusters for 3 known classes and 180 unlabelled"):
        semi_supervised_kmeans(features, labels, num_clusters, rng)


def test_gaps_in_the_labels_are_refused(features: NDArray[np.float32], rng: np.random.Generator) -> None:
    with pytest.raises(BadInput, match=r"the labels are \[1, 2, 3, 4, 5\]"):
        semi_supervised_kmeans(features, np.where(TRUTH > 0, TRUTH, -1), 6, rng)


def test_broken_features_are_refused(features: NDArray[np.float32], rng: np.random.Generator) -> None:
    features[7] = np.nan
    with pytest.raises(BadInput, match="1 of 240 faces have features that are not finite"):
        semi_supervised_kmeans(features, np.full(240, -1), 6, rng)


def test_novel_clusters_take_the_names_of_the_head() -> None:
    assignments = np.array([0, 0, 1, 2, 2, 2, 3, 3])
    predictions = np.array([0, 2, 3, 3, 3, 1, 2, 2])
    mapping = match_clusters(assignments, predictions, num_known=1, num_clusters=4)
    assert mapping.tolist() == [0, 1, 3, 2]
    centres = np.array([10, 11, 12, 13])
    assert centres[np.argsort(mapping)].tolist() == [10, 11, 13, 12]


def test_no_novel_cluster_no_new_names() -> None:
    assert match_clusters(np.array([0, 1]), np.array([1, 0]), num_known=2, num_clusters=2).tolist() == [0, 1]


def test_a_head_start_needs_enough_centres() -> None:
    with pytest.raises(BadInput, match="3 new classes but 2 centres"):
        head_start(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), 3)
