"""Every estimator of the number of new classes, by what it is for and by worked numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import silhouette_samples

from owcl.config import NoveltyConfiguration
from owcl.errors import NotFound
from owcl.novelty.base import NO_CLUSTER
from owcl.novelty.counting.base import Registered
from owcl.novelty.counting.calibrated_cut import best_heights
from owcl.novelty.counting.dp_means import dp_means
from owcl.novelty.counting.first_neighbours import first_neighbour_groups, hierarchy
from owcl.novelty.counting.kmeans_elbow import matched_accuracy
from owcl.novelty.counting.overclustering import mutual_neighbours, refined
from owcl.novelty.counting.partitions import numbered
from owcl.novelty.counting.pruning import PruningCount
from owcl.novelty.counting.registry import ESTIMATORS, estimator_named
from owcl.novelty.counting.resampling import spread
from owcl.novelty.counting.searched_density import standing_out
from owcl.novelty.counting.tightness import Tightness
from tests.novelty.worlds import REGISTERED, world


def column(*values: float) -> NDArray[np.float64]:
    return np.array(values, np.float64)[:, None]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimate_says_how_many_which_and_how_sure(name: str, rng: np.random.Generator) -> None:
    points, labels = world([50, 70, 40], rng)
    known = labels < REGISTERED
    counter = ESTIMATORS[name](30).fit(points[known], labels[known])
    estimate = counter.estimate(points[~known], rng)
    assert estimate.low <= estimate.value <= estimate.high
    assert estimate.labels.shape == (160,)
    assert set(np.unique(estimate.labels)) - {NO_CLUSTER} == set(range(estimate.value))
    assert len(estimate.stability) == estimate.value
    assert len(estimate.evidence["counts_of_resamples"]) == 20
    assert counter.estimate(points[:10], rng).value == 0


@pytest.mark.parametrize("seed", [22, 120, 132, 196])
def test_a_prototype_that_merging_moved_away_from_all_faces_is_no_cluster(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, 3))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    heaps = np.repeat(centres, 200, axis=0) + 0.05 * rng.normal(size=(600, 3))
    points = np.concatenate([heaps, rng.normal(size=(8, 3))])
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    counter = PruningCount()
    counter.learn(Registered(np.eye(2), np.arange(2)))
    labels = counter.partition(points, 30, rng)
    found = np.unique(labels[labels != NO_CLUSTER])
    assert found.tolist() == list(range(len(found)))
    assert len(found) > 1


@pytest.mark.parametrize(
    "name", ["scaled_density", "consensus", "density", "first_neighbours", "searched_density"]
)
def test_copies_of_one_picture_are_clustered_as_other_faces_are(name: str, rng: np.random.Generator) -> None:
    points, labels = world([40], rng)
    known, new = labels < REGISTERED, points[labels == REGISTERED]
    counter = ESTIMATORS[name](30).fit(points[known], labels[known])
    copies = np.repeat(new[:1], 60, axis=0)
    alone = counter.clustered(copies, rng)
    assert len(np.unique(alone)) == 1
    beside_others = counter.clustered(np.concatenate([copies, new]), rng)
    assert len(np.unique(beside_others[:60])) == 1


def test_the_configuration_names_every_estimator() -> None:
    said = NoveltyConfiguration.model_fields["count"].description
    assert said is not None
    assert set(said.replace(" or ", ", ").split(", ")) == set(ESTIMATORS)


def test_an_estimator_that_there_is_not_is_named_with_those_that_there_are() -> None:
    with pytest.raises(NotFound, match=r"estimator 'guess': there is none. Choose one of scaled_density"):
        estimator_named("guess")


@pytest.mark.parametrize("name", ["scaled_density", "consensus", "density", "calibrated_cut"])
@pytest.mark.parametrize("sizes", [[120], [90, 140, 60]])
def test_those_with_a_scale_count_what_is_easy(name: str, sizes: list[int], rng: np.random.Generator) -> None:
    points, labels = world(sizes, rng)
    known = labels < REGISTERED
    counter = ESTIMATORS[name](30).fit(points[known], labels[known])
    assert counter.estimate(points[~known], rng).value == len(sizes)


def test_the_cut_is_where_registered_classes_come_apart() -> None:
    # Example E15: heights 1, 1, 1 and 8; from 1 to just below 8 the cut gives the two classes.
    lowest, highest = best_heights(linkage(column(0, 1, 2, 10, 11), "single"), np.array([0, 0, 0, 1, 1]))
    assert lowest == 1
    assert highest == pytest.approx(8)
    assert highest < 8
    pool = linkage(column(20, 21, 22, 31, 40), "single")
    labels = fcluster(pool, np.sqrt(lowest * highest), "distance").astype(np.int64)
    assert numbered(labels, 2).tolist() == [0, 0, 0, NO_CLUSTER, NO_CLUSTER]


def test_points_without_a_class_do_not_move_the_cut() -> None:
    # The first two points are far from the classed ones and from each other.
    tree = linkage(column(100, 103, 0, 1, 2, 10, 11), "single")
    assert best_heights(tree, np.array([0, 0, 0, 1, 1])) == (1, pytest.approx(8))


@pytest.mark.parametrize(("penalty", "clusters"), [(0.3, 5), (4, 2), (36, 2), (49, 1)])
def test_dp_means_founds_as_many_clusters_as_its_penalty_allows(penalty: float, clusters: int) -> None:
    # Example E16, from the mean 4.8.
    labels = dp_means(column(0, 1, 2, 10, 11), penalty)
    assert labels.max() + 1 == clusters
    if clusters == 2:
        assert labels[:3].tolist() == [labels[0]] * 3
        assert labels[3] == labels[4] != labels[0]


def test_the_silhouette_falls_where_a_cluster_is_torn() -> None:
    # Example E17, which fixes what the estimators by silhouette compare.
    points = column(0, 1, 10, 11)
    assert silhouette_samples(points, [0, 0, 1, 1]) == pytest.approx(
        [0.904762, 0.894737, 0.894737, 0.904762], abs=1e-6
    )
    assert silhouette_samples(points, [0, 0, 1, 2]).mean() == pytest.approx(0.447222, abs=1e-6)


def test_first_neighbours_make_groups() -> None:
    # Example E18: first neighbours 1, 0, 1, 4, 3.
    points = column(0, 1, 2.5, 10, 11.2)
    assert first_neighbour_groups(points).tolist() == [0, 0, 0, 1, 1]
    assert [level.tolist() for level in hierarchy(points)] == [[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]


def test_only_those_that_are_each_others_nearest_are_one_group() -> None:
    # First neighbours 1, 0, 1, 4, 3: the third point's nearest has a nearer one.
    assert mutual_neighbours(column(0, 1, 2.5, 10, 11.2)).tolist() == [0, 0, 1, 2, 2]
    assert mutual_neighbours(column(7)).tolist() == [0]


def test_a_cluster_that_a_classifier_does_not_find_again_is_given_to_those_that_it_does(
    rng: np.random.Generator,
) -> None:
    points = np.concatenate([rng.normal(size=(50, 4)), 8 + rng.normal(size=(40, 4))]).astype(np.float32)
    labels = np.array([0] * 40 + [2] * 10 + [1] * 40)
    assert refined(points, labels).tolist() == [0] * 50 + [1] * 40


def test_of_several_clusters_the_one_that_is_farthest_from_the_others_for_its_size_stands_out(
    rng: np.random.Generator,
) -> None:
    loose, tight = 2 * rng.normal(size=(60, 2)), 12 + 0.2 * rng.normal(size=(30, 2))
    assert set(standing_out(np.concatenate([loose, tight]), 20)) <= set(range(60, 90))
    assert len(standing_out(np.concatenate([loose, tight]), 20)) > 20
    assert len(standing_out(tight, 31)) == 0


def test_resamples_are_summed_up_by_their_middle_and_their_agreement() -> None:
    # Example E25.
    found = spread([2, 3, 2, 2, 5, 2, 3, 2, 2, 1])
    assert found["median"] == 2
    assert found["share_of_the_commonest"] == 0.6
    assert found["from_10_to_90_percent"] == [1.9, 3.2]


def test_accuracy_matches_clusters_and_classes_one_to_one() -> None:
    # Cluster 1 holds most of class 7 and cluster 0 all of class 3; one face of five is elsewhere.
    assert matched_accuracy(np.array([3, 3, 7, 7, 7]), np.array([0, 0, 1, 1, 0])) == pytest.approx(0.8)


def test_a_cluster_as_loose_as_all_registered_classes_together_is_sifted_out() -> None:
    spots = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    sifter = Tightness([spots, spots + 20])
    points = np.concatenate([spots + 50, 40 * spots])
    # Half a diagonal is the radius of a registered class; together they have twenty times as much.
    assert 0.7 < sifter.widest < 14
    assert sifter.sifted(points, np.repeat([1, 0], 4)).tolist() == [0] * 4 + [NO_CLUSTER] * 4
