"""What the steps of work leave behind: experiences, models, runs, clusters, counts, figures, exemplars."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy.exc import IntegrityError

from owcl.errors import Conflict, NotFound
from owcl.types import Cluster, ModelVersion, Quarantined
from storage import (
    classes,
    clusters,
    counts,
    exemplars,
    experiences,
    metrics,
    models,
    quarantine,
    runs,
)
from storage.store import Store


def test_an_experience_is_opened_once_and_moves_on(store: Store) -> None:
    with store.transaction() as transaction:
        assert experiences.latest(transaction) is None
        for _ in range(2):
            experiences.begin(transaction, 0, labelled=True)
        experiences.begin(transaction, 1)
        experiences.set_state(transaction, 0, "ingested")
        found = [(one.index, one.labelled, one.state) for one in experiences.everything(transaction)]
        assert found == [(0, True, "ingested"), (1, False, "open")]
        assert experiences.latest(transaction) == experiences.status(transaction, 1)


def test_an_experience_cannot_gain_or_lose_labels(filled: Store) -> None:
    with filled.transaction() as transaction:
        with pytest.raises(Conflict, match="experience 1: it is unlabelled, but labelled faces were given"):
            experiences.begin(transaction, 1, labelled=True)
        with pytest.raises(NotFound, match="experience 7: there is none"):
            experiences.set_state(transaction, 7, "updated")


def test_the_newest_model_of_a_task_answers(store: Store) -> None:
    with store.transaction() as transaction:
        assert models.answering(transaction) is None
        first = models.add(transaction, "models/1.safetensors", {}, (3, 1), {"acc_known": 0.9})
        settings = {"backbone": "small"}
        second = models.add(transaction, "models/2.safetensors", settings, (3, 1, 4), {}, parent=first)
        models.add(transaction, "models/3.safetensors", {}, (), {}, task="ranking")
        expected = ModelVersion(second, first, "models/2.safetensors", settings, (3, 1, 4))
        assert models.answering(transaction) == expected
        assert [version.parent for version in models.everything(transaction)] == [None, first]
        assert models.next_id(transaction) == 4


def test_a_run_that_was_not_finished_is_found_again(filled: Store) -> None:
    task = runs.Task("update", configuration={"epochs": 3}, seed=2026)
    with filled.transaction() as transaction:
        run_id = runs.start(transaction, task)
        runs.start(transaction, runs.Task("ingest"))
    with filled.transaction() as transaction:
        found = runs.unfinished(transaction, "update")
        assert found is not None
        assert (found.id, found.task, found.experience) == (run_id, task, None)
        runs.finish(transaction, run_id, {"accepted": True}, experience=1)
        assert runs.unfinished(transaction, "update") is None
        done = runs.get(transaction, run_id)
        assert (done.state, done.result, done.experience) == ("done", {"accepted": True}, 1)
        assert done.finished is not None
        assert done.finished >= done.started


def test_a_failed_run_keeps_its_reason_and_is_not_taken_up(store: Store) -> None:
    with store.transaction() as transaction:
        run_id = runs.start(transaction, runs.Task("discover"))
        runs.fail(transaction, run_id, "disk full")
        assert runs.unfinished(transaction, "discover") is None
        failed = runs.get(transaction, run_id)
        assert (failed.state, failed.result) == ("failed", {"error": "disk full"})
        with pytest.raises(NotFound, match="there is no run 7"):
            runs.finish(transaction, 7, {})


def test_a_candidate_collects_until_it_is_a_class_or_dissolved(filled: Store) -> None:
    centre = np.array([0.6, 0.8], dtype=np.float32)
    with filled.transaction() as transaction:
        small = Cluster(np.array([8, 6]), centre, 0.75)
        first = clusters.add(transaction, small, clusters.Sighting(1, 1, {"size": "too small"}))
        other = clusters.add(transaction, small, clusters.Sighting(1, 1))
        grown = Cluster(np.array([6, 7, 8]), -centre, 1.0)
        clusters.see_again(transaction, first, grown, clusters.Sighting(1, 2, {"size": 3}))
        found = clusters.get(transaction, first)
        assert found.cluster.member_ids.tolist() == [6, 7, 8]
        np.testing.assert_array_equal(found.cluster.centre, -centre)
        assert (found.times_seen, found.state) == (2, "candidate")
        assert found.sighting == clusters.Sighting(1, 2, {"size": 3})
        clusters.promote(transaction, first, classes.create(transaction))
        clusters.dissolve(transaction, other)
        assert [one.class_id for one in clusters.in_state(transaction, "promoted")] == [1]
        assert [one.id for one in clusters.in_state(transaction, "dissolved")] == [other]
        assert clusters.in_state(transaction, "candidate") == []
        with pytest.raises(NotFound, match="there is no cluster 9"):
            clusters.dissolve(transaction, 9)


def test_the_newest_count_of_an_experience_counts(filled: Store) -> None:
    with filled.transaction() as transaction:
        counts.record(transaction, 1, counts.Count(3, 1, 4))
        counts.record(transaction, 1, counts.Count(2, 2, 3, {"density": 2}))
        assert counts.by_experience(transaction) == {1: counts.Count(2, 2, 3, {"density": 2})}
    with pytest.raises(IntegrityError, match="interval_is_ordered"), filled.transaction() as transaction:
        counts.record(transaction, 1, counts.Count(2, 3, 2))


def test_figures_of_the_same_place_are_replaced_and_others_stay(filled: Store) -> None:
    last = metrics.Measured(1, model_version=1)
    with filled.transaction() as transaction:
        metrics.write(transaction, last, {"acc_known": 0.5, "auroc": float("nan")})
        metrics.write(transaction, metrics.Measured(1, "first_sight", model_version=1), {"acc_known": 0.25})
        metrics.write(transaction, metrics.Measured(1, method="vqvae", model_version=1), {"acc_known": 1.0})
        metrics.write(transaction, last, {"acc_known": np.float64(0.75)})
        found = [(one.name, one.value, one.measured) for one in metrics.read(transaction, experience=1)]
    assert found == [
        ("auroc", None, last),
        ("acc_known", 0.25, metrics.Measured(1, "first_sight", model_version=1)),
        ("acc_known", 1.0, metrics.Measured(1, method="vqvae", model_version=1)),
        ("acc_known", 0.75, last),
    ]


def test_a_source_is_in_quarantine_once_for_each_content(filled: Store) -> None:
    rows = [
        Quarantined("a.png", "a" * 64, "truncated"),
        Quarantined("a.png", None, "no permission"),
        Quarantined("b.png", None, "no permission"),
        Quarantined("a.png", "b" * 64, "not an image"),
    ]
    with filled.transaction() as transaction:
        assert quarantine.add_many(transaction, rows, experience=1) == 4
        assert quarantine.add_many(transaction, [*rows, rows[0]], experience=1) == 0
        assert quarantine.add_many(transaction, []) == 0
        assert (quarantine.read(transaction), quarantine.count(transaction)) == (rows, 4)
        assert quarantine.read(transaction, experience=0) == []


def test_exemplars_are_replaced_and_forgotten_by_face(filled: Store) -> None:
    def exemplar(face_id: int, class_id: int, png: bytes) -> exemplars.Exemplar:
        return exemplars.Exemplar(face_id, class_id, 1.0, "label", png)

    with filled.transaction() as transaction:
        a, b = classes.create(transaction, "a"), classes.create(transaction, "b")
        exemplars.write(
            transaction, [exemplar(2, a, b"\x89PNG\x00"), exemplar(1, a, b"1"), exemplar(3, b, b"")]
        )
        exemplars.write(transaction, [exemplar(1, b, b"2")])
        assert exemplars.read(transaction, a) == [exemplar(2, a, b"\x89PNG\x00")]
        exemplars.remove(transaction, [1, 3])
        assert exemplars.read(transaction) == [exemplar(2, a, b"\x89PNG\x00")]
