"""What becomes of clusters: each keeps its id from the first sighting until it is a class or given up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from owcl.engine import history, registry
from owcl.engine.candidates import (
    Judged,
    Settled,
    collecting,
    give_up_unseen,
    posted_again,
    settle,
    unlearned_examples,
    without,
)
from owcl.novelty.promotion import Promotion
from owcl.types import Cluster
from storage import classes, clusters, decisions, experiences, faces, memberships, models
from storage.store import Store

FEW = Promotion(False, None, ("12 faces, 30 make a class",), True, {"size": 12})
UNSTABLE = Promotion(False, None, ("came back in 20% of resamples, 50% are needed",), False, {"size": 40})
POSTED_AGAIN = Promotion(False, None, ("compressed again",), False, {"size": 40}, drifted=True)
GOOD = Promotion(True, None, (), False, {"size": 40})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "owcl.db") as opened:
        with opened.transaction() as transaction:
            for index in range(6):
                experiences.begin(transaction, index, labelled=index == 0)
            new = [faces.NewFace(f"{number:064x}", f"{number}.png", (64, 64), 1) for number in range(60)]
            faces.add_many(transaction, new)
            models.add(transaction, "models/first.safetensors", {}, (), {})
        yield opened


def seen(store: Store, members: Sequence[int], promotion: Promotion, experience: int) -> Settled:
    cluster = Cluster(np.array(members), np.zeros(4, np.float32), 0.8)
    with store.transaction() as transaction:
        return settle(transaction, Judged(cluster, promotion), experience, 1)


def states(store: Store) -> dict[str, list[int]]:
    with store.reading() as transaction:
        return {
            state: [cluster.id for cluster in clusters.in_state(transaction, state)]
            for state in ("candidate", "promoted", "dissolved")
        }


def test_a_candidate_that_only_lacks_faces_collects_them_and_is_promoted_under_its_own_id(
    store: Store,
) -> None:
    for experience, last in ((1, 6), (2, 9), (3, 13), (4, 20)):
        assert seen(store, range(1, last), FEW, experience).outcome == "waiting"
    assert states(store) == {"candidate": [1], "promoted": [], "dissolved": []}
    settled = seen(store, range(1, 41), GOOD, 5)
    assert settled.entry is not None
    assert settled.entry.status == "provisional"
    assert states(store) == {"candidate": [], "promoted": [1], "dissolved": []}
    with store.reading() as transaction:
        assert memberships.members(transaction, settled.entry.id).tolist() == list(range(1, 41))
        decision = decisions.history(transaction)[0]
        assert (decision.verb, decision.subject) == ("promote", f"class {settled.entry.id}")
        assert classes.details(transaction, settled.entry.id).decision == decision.id


def test_a_candidate_that_stays_unstable_is_given_up_at_the_third_sighting(store: Store) -> None:
    for experience in (1, 2):
        seen(store, range(1, 41), UNSTABLE, experience)
        assert states(store)["candidate"] == [1]
    seen(store, range(1, 41), UNSTABLE, 3)
    assert states(store) == {"candidate": [], "promoted": [], "dissolved": [1]}
    # Its faces still wait: seen once more, they are a new candidate.
    seen(store, range(1, 41), UNSTABLE, 4)
    assert states(store)["candidate"] == [2]


def test_sightings_at_which_only_faces_were_missing_do_not_count_against_a_candidate(store: Store) -> None:
    for experience, promotion in enumerate((FEW, FEW, UNSTABLE, FEW, UNSTABLE)):
        seen(store, range(1, 41), promotion, experience)
        assert states(store)["candidate"] == [1]
    seen(store, range(1, 41), UNSTABLE, 5)
    assert states(store) == {"candidate": [], "promoted": [], "dissolved": [1]}


def test_the_faces_of_candidates_are_looked_at_again_whatever_a_model_says_of_them(store: Store) -> None:
    with store.reading() as transaction:
        assert collecting(transaction).tolist() == []
    seen(store, range(1, 6), FEW, 1)
    seen(store, range(31, 36), UNSTABLE, 1)
    seen(store, range(41, 60), GOOD, 1)
    with store.reading() as transaction:
        assert collecting(transaction).tolist() == [*range(1, 6), *range(31, 36)]


def test_known_faces_that_were_posted_again_are_shown_to_an_operator_and_wait_for_nothing(
    store: Store,
) -> None:
    seen(store, range(1, 41), POSTED_AGAIN, 1)
    seen(store, range(41, 51), FEW, 1)
    with store.transaction() as transaction:
        assert [one.id for one in clusters.waiting(transaction)] == [1, 2]
        assert collecting(transaction).tolist() == [*range(41, 51)]
        assert posted_again(transaction).tolist() == [*range(1, 41)]
        give_up_unseen(transaction, 4)
        assert clusters.waiting(transaction) == []
        assert posted_again(transaction).tolist() == [*range(1, 41)]


def test_a_candidate_that_three_experiences_have_not_seen_is_given_up(store: Store) -> None:
    seen(store, range(1, 6), FEW, 1)
    seen(store, range(31, 36), FEW, 2)
    with store.transaction() as transaction:
        give_up_unseen(transaction, 3)
        assert [one.id for one in clusters.in_state(transaction, "candidate")] == [1, 2]
        give_up_unseen(transaction, 4)
    assert states(store) == {"candidate": [2], "promoted": [], "dissolved": [1]}


def test_a_candidate_that_was_adopted_waits_again_when_that_is_undone_late(store: Store) -> None:
    seen(store, range(1, 6), FEW, 1)
    registry.adopt(store, 1, "anna")
    with store.transaction() as transaction:
        give_up_unseen(transaction, 5)
    history.undo(store, "anna")
    with store.reading() as transaction:
        assert [one.id for one in clusters.waiting(transaction)] == [1]


def test_a_cluster_with_less_than_half_of_a_candidate_is_another_one(store: Store) -> None:
    seen(store, range(1, 21), FEW, 1)
    seen(store, range(12, 31), FEW, 2)
    assert states(store)["candidate"] == [1, 2]


def test_two_clusters_of_one_discovery_are_two_candidates(store: Store) -> None:
    seen(store, range(1, 21), FEW, 1)
    seen(store, range(1, 31), FEW, 1)
    assert states(store)["candidate"] == [1, 2]


def test_more_faces_of_a_class_join_it(store: Store) -> None:
    first = seen(store, range(1, 41), GOOD, 1).entry
    assert first is not None
    again = Promotion(False, first.id, (f"cannot be told from class {first.id}",), False, {})
    settled = seen(store, range(41, 61), again, 2)
    assert (settled.outcome, settled.entry) == ("recognised", first)
    with store.reading() as transaction:
        assert len(memberships.members(transaction, first.id)) == 60


def test_what_an_operator_rejected_is_not_offered_again(store: Store) -> None:
    first = seen(store, range(1, 41), GOOD, 1).entry
    assert first is not None
    registry.reject(store, str(first.id), "anna")
    with store.reading() as transaction:
        examples = unlearned_examples(transaction, np.empty(0, np.int64), 5)
        assert examples[first.id].tolist() == [36, 37, 38, 39, 40]
    again = Promotion(False, first.id, (f"cannot be told from class {first.id}",), False, {})
    settled = seen(store, range(41, 61), again, 2)
    assert settled.outcome == "rejected again"
    with store.reading() as transaction:
        assert [entry.status for entry in classes.everything(transaction)] == ["rejected"]
        assert decisions.history(transaction)[0].verb == "reject again"


def test_a_cluster_goes_on_without_faces_that_were_put_into_a_class_meanwhile() -> None:
    judged = Judged(Cluster(np.arange(1, 41), np.zeros(4, np.float32), 0.8), GOOD)
    assert without(judged, np.array([70, 90]), 30) is judged
    large = without(judged, np.arange(1, 6), 30)
    assert large is not None
    assert large.promotion.accepted
    assert large.cluster.member_ids.tolist() == [*range(6, 41)]
    assert large.promotion.evidence["size"] == 35
    small = without(judged, np.arange(1, 21), 30)
    assert small is not None
    assert small.promotion.lacks_only_faces
    assert small.promotion.reasons == ("20 faces that nobody put into a class meanwhile, 30 make a class",)
    assert without(judged, np.arange(1, 41), 30) is None


def test_clusters_are_compared_with_the_newest_faces_of_classes_that_were_not_learned(store: Store) -> None:
    learned, waiting, merged = (
        seen(store, members, GOOD, 1).entry for members in (range(1, 21), range(21, 31), range(31, 41))
    )
    assert learned is not None
    assert waiting is not None
    assert merged is not None
    registry.merge(store, str(merged.id), str(waiting.id), "anna")
    with store.reading() as transaction:
        examples = unlearned_examples(transaction, np.array([learned.id]), 12)
    assert {key: face_ids.tolist() for key, face_ids in examples.items()} == {waiting.id: [*range(29, 41)]}


def test_what_was_taken_out_of_a_class_does_not_join_it_with_more_faces_of_it(store: Store) -> None:
    first, second = (seen(store, members, GOOD, 1).entry for members in (range(1, 21), range(21, 41)))
    assert first is not None
    assert second is not None
    registry.release(store, str(first.id), [1, 2], "anna")
    registry.release(store, str(second.id), [21], "anna")
    again = Promotion(False, first.id, (f"cannot be told from class {first.id}",), False, {})
    seen(store, [1, 2, 21, *range(41, 51)], again, 2)
    with store.reading() as transaction:
        assert memberships.members(transaction, first.id).tolist() == [*range(3, 22), *range(41, 51)]
        assert decisions.history(transaction)[0].after == {"faces": 11}


def test_faces_that_were_all_taken_out_of_the_class_that_they_look_like_wait(store: Store) -> None:
    entry = seen(store, range(1, 41), GOOD, 1).entry
    assert entry is not None
    registry.release(store, str(entry.id), range(1, 21), "anna")
    again = Promotion(False, entry.id, (f"cannot be told from class {entry.id}",), False, {})
    assert seen(store, range(1, 21), again, 2).outcome == "waiting"
    with store.reading() as transaction:
        assert [one.id for one in clusters.waiting(transaction)] == [2]
        assert decisions.history(transaction)[0].verb == "release"
