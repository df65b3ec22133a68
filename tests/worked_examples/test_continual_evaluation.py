"""The worked examples of the continual setting that concern evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from owcl.evaluation import agreement, discovery, forgetting, open_set
from owcl.evaluation.accuracy import Roles, accuracy_columns, known_novel_all, registry_entry

ROLES = Roles(known=frozenset({0, 1}), earlier=frozenset({2}), new=frozenset({3}))
TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3])
PREDICTED = np.array([0, 0, 0, 1, 1, 1, 11, 10, 10, 12, -1, 12, 12, 11])
REGISTRY = {0: 0, 1: 1, 10: 2, 11: 3, 12: 3}


def test_four_scores_of_one_prediction() -> None:
    columns = accuracy_columns(TRUTH, PREDICTED, ROLES, REGISTRY)
    expected = {
        "acc_known": 5 / 7,
        "acc_novel_own": 4 / 7,
        "acc_all_joint": 9 / 14,
        "acc_novel_joint": 4 / 7,
        "id_acc_all": 10 / 14,
        "id_acc_known": 5 / 7,
        "id_acc_novel": 5 / 7,
        "id_acc_novel_macro": 0.75,
        "id_acc_all_macro": 0.729167,
        "id_acc_all_strict": 8 / 14,
        "abstained": 1 / 14,
    }
    assert {name: columns[name] for name in expected} == pytest.approx(expected, abs=1e-5)


def test_swapped_ids_fool_a_refitted_matching_but_not_the_registry() -> None:
    truth = np.repeat([2, 3], 4)
    swapped = np.repeat([11, 10], 4)
    roles = Roles(frozenset(), frozenset({2, 3}), frozenset())
    columns = accuracy_columns(truth, swapped, roles, {10: 2, 11: 3})
    assert columns["acc_all_joint"] == 1.0
    assert columns["id_acc_all"] == 0.0
    assert discovery.swaps({10: 2, 11: 3}, {10: 3, 11: 2}) == 1


def test_forgetting_and_transfer_of_a_matrix() -> None:
    accuracies = np.array(
        [
            [0.96, 0.10, 0.00, 0.05],
            [0.94, 0.70, 0.12, 0.02],
            [0.95, 0.78, 0.60, 0.08],
            [0.90, 0.66, 0.63, 0.72],
        ]
    )
    assert forgetting.forgetting(accuracies).per_cohort == pytest.approx((0.06, 0.12, -0.03))
    assert forgetting.forgetting(accuracies).mean == pytest.approx(0.05)
    assert forgetting.first_to_last(accuracies).per_cohort == pytest.approx((0.06, 0.04, -0.03))
    assert forgetting.backward_transfer(accuracies) == pytest.approx(-0.023333, abs=1e-5)
    assert forgetting.forward_transfer(accuracies, [0.05] * 3).per_cohort == pytest.approx((0.05, 0.07, 0.03))
    assert forgetting.seen_means(accuracies) == pytest.approx((0.96, 0.82, 0.776667, 0.7275), abs=1e-5)


@pytest.mark.parametrize(
    ("predicted", "nmi", "ami", "ari"),
    [
        ([0, 0, 0, 1, 1, 1, 1, 1], 0.561590, 0.500087, 0.494845),
        ([0, 1, 2, 3, 4, 5, 6, 7], 0.5, 0.0, 0.0),
        ([0, 0, 1, 1, 2, 2, 3, 3], 0.666667, 0.533333, 0.363636),
    ],
)
def test_partitions_are_scored_with_and_without_chance(
    predicted: list[int], nmi: float, ami: float, ari: float
) -> None:
    found = agreement.agreement(np.repeat([0, 1], 4), np.array(predicted))
    assert found == pytest.approx({"nmi": nmi, "ami": ami, "ari": ari}, abs=1e-5)


def test_noise_is_scored_in_three_ways() -> None:
    predicted = np.array([0, 0, 0, -1, -1, 1, 1, 1, 1, -1])
    found = agreement.agreement_with_noise(np.repeat([0, 1], 5), predicted)
    expected = {
        "coverage": 0.7,
        "ami_covered": 1.0,
        "ari_covered": 1.0,
        "ami_one_cluster": 0.485179,
        "ari_one_cluster": 0.4375,
        "ami_singletons": 0.523392,
        "ari_singletons": 0.476190,
    }
    assert found == pytest.approx(expected, abs=1e-5)


def test_open_set_figures_by_hand() -> None:
    known, novel = np.array([0.1, 0.2, 0.3, 0.4, 0.8]), np.array([0.35, 0.6, 0.7, 0.9])
    correct = np.array([True, True, False, True, True])
    expected = {"auroc": 0.8, "aupr": 0.770833, "fpr95": 0.75, "alarm95": 0.4}
    assert open_set.separation(known, novel) == pytest.approx(expected, abs=1e-5)
    assert open_set.oscr(known, correct, novel) == pytest.approx(0.6)


def test_discovery_class_by_class() -> None:
    known, junk = 0, 9
    members = {
        1: {2: 45, 3: 3, known: 2},
        2: {2: 30, junk: 1},
        3: {2: 1, 3: 20, known: 2, junk: 2},
        4: {known: 18, junk: 7},
        5: {2: 5, 3: 6, known: 5, junk: 4},
    }
    found = discovery.discoveries(members, {2: 100, 3: 40})
    assert found.purity == pytest.approx({1: 0.9, 2: 0.967742, 3: 0.8, 4: 0.72, 5: 0.3}, abs=1e-5)
    assert found.discovered == {3}
    assert found.fragments[2] == 2
    assert found.false == {4, 5}
    assert (found.precision, found.recall) == (1 / 5, 1 / 2)


def test_where_nothing_new_came_only_a_class_is_a_fault() -> None:
    assert np.isnan(discovery.discoveries({}, {}).f1)
    assert discovery.discoveries({1: {0: 30}}, {}).f1 == 0
    assert discovery.discoveries({}, {2: 100}).f1 == 0


def test_abstention_is_right_where_there_is_no_class() -> None:
    truth = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    predicted = np.array([0, 0, 1, -1, 10, -1, -1, 1])
    assert open_set.open_set_acc(truth, predicted, {0: 0, 1: 1, 10: 2}) == 0.625


def test_cpl_matches_novel_and_all_faces_each_for_itself() -> None:
    labels = np.repeat([0, 1, 2, 3], 4)
    predictions = np.array([0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0, 3])
    assert known_novel_all(labels, predictions, 2) == {"known": 0.875, "novel": 0.875, "all": 0.75}
    assert agreement.agreement(labels, predictions)["nmi"] == pytest.approx(0.735550, abs=1e-5)
    assert agreement.agreement(labels, predictions)["ari"] == pytest.approx(0.553991, abs=1e-5)


def test_cpl_novel_accuracy_is_generous_to_known_outputs() -> None:
    labels = np.repeat([0, 1, 2, 3], 4)
    found = known_novel_all(labels, np.array([0] * 4 + [1] * 4 + [0] * 4 + [1] * 4), 2)
    assert found == {"known": 1.0, "novel": 1.0, "all": 0.5}


def test_cpl_known_accuracy_is_direct() -> None:
    labels = np.repeat([0, 1], 4)
    assert known_novel_all(labels, 1 - labels, 2)["known"] == 0.0


def test_a_class_stands_for_the_majority_of_its_members_if_there_is_one() -> None:
    assert registry_entry(np.array([2, 2, 3])) == 2
    assert registry_entry(np.array([2, 3, 4])) is None


def test_falls_are_from_the_best_earlier_row_and_undefined_without_one() -> None:
    accuracies = np.array([[0.9, np.nan], [0.95, 0.7], [0.8, 0.75]])
    assert forgetting.falls(accuracies) == pytest.approx((0.15, -0.05))
    assert np.isnan(forgetting.falls(accuracies[:1])).all()
    assert forgetting.falls(accuracies[:2]) == pytest.approx((-0.05, np.nan), nan_ok=True)
