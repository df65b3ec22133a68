"""What operators do with classes: every verb is one decision, and its undo gives back what was."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from owcl.engine import class_view, history, registry
from owcl.engine.standing import standing
from owcl.errors import BadInput, Conflict, NotFound, OwclError
from owcl.types import UNKNOWN, Attributions, Cluster
from storage import attributions, classes, clusters, experiences, faces, memberships, models
from storage.store import Store
from tests.engine.conftest import members, registered

HOSTILE = (
    "Robert'); DROP TABLE classes;--",
    "<script>alert(1)</script>",
    "=HYPERLINK(1)",
    "../../etc",
    "-rf",
)


def test_naming_a_provisional_class_makes_it_named_and_keeps_its_id(store: Store) -> None:
    entry = registry.name(store, "new-2", "  StyleGAN 2 ", "anna", family="synthesis")
    assert (entry.id, entry.name, entry.family, entry.status) == (2, "StyleGAN 2", "synthesis", "named")
    assert registry.name(store, "stylegan 2", "StyleGAN", "anna").family == "synthesis"
    assert registry.name(store, "real", "genuine", "anna").status == "known"


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_family_takes_it_away_and_an_undo_brings_it_back(store: Store, empty: str) -> None:
    registry.name(store, "2", "StyleGAN", "anna", family="synthesis")
    assert registry.name(store, "2", "StyleGAN", "anna", family=empty).family is None
    history.undo(store, "anna")
    assert class_view.show(store, "2").line.family == "synthesis"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_name_is_only_a_name(store: Store, hostile: str) -> None:
    assert registry.name(store, "2", hostile, "anna").name == hostile
    assert class_view.show(store, hostile).line.id == 2
    assert store.check_integrity() == []


def test_every_verb_leaves_one_decision_with_who_and_before_and_after(store: Store) -> None:
    registry.name(store, "2", "a", "anna")
    registry.merge(store, "3", "a", "ben")
    registry.split(store, "a", [5, 9], "cleo")
    registry.reject(store, "4", "dora")
    history.undo(store, "emil")
    decisions = history.latest(store)
    assert [(one.who, one.verb) for one in reversed(decisions)] == [
        ("anna", "name"), ("ben", "merge"), ("cleo", "split"), ("dora", "reject"), ("emil", "undo"),
    ]  # fmt: skip
    first = decisions[-1]
    assert (first.before["2"]["name"], first.after["2"]["name"]) == ("new-2", "a")
    assert (first.before["2"]["status"], first.after["2"]["status"]) == ("provisional", "named")
    assert history.latest(store, limit=2) == decisions[:2]


def test_a_merge_moves_all_faces_and_its_undo_gives_back_exactly_the_same(store: Store) -> None:
    before, classes_before = members(store), registered(store)
    registry.merge(store, "3", "2", "anna")
    assert members(store) == before | {2: before[2] + before[3], 3: []}
    history.undo(store, "anna")
    assert (members(store), registered(store)) == (before, classes_before)


def test_a_split_moves_the_faces_and_its_undo_moves_them_back(store: Store) -> None:
    before = members(store)
    new = registry.split(store, "2", [5, 6], "anna", "SimSwap")
    assert (new.id, new.name, new.status) == (4, "SimSwap", "named")
    assert members(store) == before | {2: [7, 8], 4: [5, 6]}
    history.undo(store, "anna")
    assert members(store) == before | {4: []}
    assert [line.status for line in class_view.list_classes(store)][-1] == "rejected"
    history.redo(store, "anna")
    assert members(store) == before | {2: [7, 8], 4: [5, 6]}
    assert class_view.show(store, "SimSwap").line.status == "named"


def test_a_label_moves_faces_to_a_class_and_its_undo_moves_them_back(store: Store) -> None:
    before = members(store)
    assert registry.label(store, "3", [5, 8], "anna").id == 3
    after = members(store)
    assert set(after[3]) == {*before[3], 5, 8}
    assert set(after[2]) == set(before[2]) - {5, 8}
    history.undo(store, "anna")
    assert members(store) == before
    history.redo(store, "anna")
    assert members(store) == after


def test_released_faces_are_of_no_class_until_the_release_is_undone(store: Store) -> None:
    before = members(store)
    registry.release(store, "2", [5, 8], "anna")
    assert members(store) == before | {2: [6, 7]}
    history.undo(store, "anna")
    assert members(store) == before


def test_a_class_is_made_of_faces_from_anywhere_and_its_undo_puts_them_back(store: Store) -> None:
    before = members(store)
    new = registry.make(store, [5, 9, 13], "anna", "SimSwap")
    assert (new.id, new.status) == (4, "named")
    assert members(store) == before | {2: [6, 7, 8], 3: [10, 11, 12], 4: [5, 9, 13]}
    history.undo(store, "anna")
    assert members(store) == before | {4: []}


def test_a_cluster_that_waits_is_adopted_and_waits_again_when_that_is_undone(store: Store) -> None:
    with store.transaction() as transaction:
        version = models.add(transaction, "models/1.safetensors", {}, (1,), {})
        sighting = clusters.Sighting(1, version, {"reasons": ["came back in 50% of resamples"]})
        # Faces 9 and 10 have a class of their own by now.
        cluster = Cluster(np.array([9, 10, 13, 14, 15]), np.zeros(2, np.float32), 0.55)
        more = [faces.NewFace(f"{n:064x}", f"{n}.png", (64, 64), 1) for n in (14, 15)]
        faces.add_many(transaction, more)
        first = clusters.add(transaction, cluster, sighting)
        spoken_for = clusters.add(transaction, Cluster(np.array([5, 6, 13]), cluster.centre, 0.5), sighting)

    def waiting() -> list[tuple[int, list[int]]]:
        with store.reading() as transaction:
            return [(one.id, one.cluster.member_ids.tolist()) for one in clusters.waiting(transaction)]

    assert waiting() == [(first, [13, 14, 15])]
    with pytest.raises(NotFound, match=f"cluster {spoken_for}: no such cluster waits"):
        registry.adopt(store, spoken_for, "anna")
    new = registry.adopt(store, first, "anna", "SimSwap")
    view = class_view.show(store, "SimSwap")
    assert (new.status, view.line.born, members(store)[new.id]) == ("named", 1, [13, 14, 15])
    with store.reading() as transaction:
        evidence = classes.details(transaction, new.id).evidence
        active = memberships.active(transaction)
    assert evidence == {
        "made_by": "anna",
        "size": 3,
        "cluster": first,
        "reasons": sighting.evidence["reasons"],
    }
    of_it = active.class_ids == new.id
    assert active.weights[of_it].tolist() == [0.55] * 3
    assert {origin for origin, mine in zip(active.origins, of_it, strict=True) if mine} == {"promotion"}
    assert waiting() == []
    history.undo(store, "anna")
    assert waiting() == [(first, [13, 14, 15])]


def test_parts_of_a_class_were_born_with_it_and_what_is_made_now_is_born_now(store: Store) -> None:
    with store.transaction() as transaction:
        experiences.begin(transaction, 2)
    part = registry.split(store, "2", [5, 6], "anna")
    made = registry.make(store, [13], "anna")
    assert [class_view.show(store, str(one.id)).line.born for one in (part, made)] == [1, 2]


def test_a_note_is_kept_replaced_and_taken_away_and_undone_like_a_name(store: Store) -> None:
    registry.name(store, "2", "a", "anna", note="first\nsecond ")
    registry.name(store, "2", "b", "anna")
    assert class_view.show(store, "2").note == "first\nsecond"
    registry.name(store, "2", "b", "anna", note=" ")
    assert class_view.show(store, "2").note is None
    history.undo(store, "anna")
    assert class_view.show(store, "2").note == "first\nsecond"


def test_a_decision_on_what_somebody_else_changed_meanwhile_is_refused(store: Store) -> None:
    seen = class_view.show(store, "2").version
    registry.name(store, "2", "Anna's name", "anna", seen=seen)
    before = members(store), registered(store), history.latest(store)
    late: tuple[Callable[[], object], ...] = (
        lambda: registry.name(store, "2", "Ben's name", "ben", seen=seen),
        lambda: registry.merge(store, "2", "3", "ben", seen=seen),
        lambda: registry.split(store, "2", [5], "ben", seen=seen),
        lambda: registry.release(store, "2", [5], "ben", seen=seen),
        lambda: registry.reject(store, "2", "ben", seen=seen),
    )
    for verb in late:
        with pytest.raises(Conflict, match=r"class 2 was renamed by anna at .*Reload and decide again"):
            verb()
    assert (members(store), registered(store), history.latest(store)) == before


def test_a_label_needs_a_face_that_there_is_and_a_live_class(store: Store) -> None:
    with pytest.raises(BadInput, match="no face is given"):
        registry.label(store, "3", [], "anna")
    with pytest.raises(NotFound, match="there is no face 999"):
        registry.label(store, "3", [5, 999], "anna")
    registry.reject(store, "3", "anna")
    with pytest.raises(Conflict, match="it was rejected"):
        registry.label(store, "3", [5], "anna")


def test_a_rejected_class_is_predicted_no_more_but_its_faces_are_not_proposed_again(store: Store) -> None:
    registry.reject(store, "2", "anna")
    with store.reading() as transaction:
        present = standing(transaction)
        assert [entry.id for entry in classes.live(transaction)] == [1, 3]
        assert set(memberships.active(transaction).face_ids.tolist()) >= {5, 6, 7, 8}
    assert present.class_ids.tolist() == [1] * 4 + [UNKNOWN] * 4 + [3] * 4


@pytest.mark.parametrize(
    ("verb", "kind", "words"),
    [
        (lambda s: registry.name(s, "2", " ", "a"), BadInput, "it is empty"),
        (lambda s: registry.name(s, "2", "x\x1b[31m", "a"), BadInput, "control character"),
        (lambda s: registry.name(s, "2", "REAL", "a"), Conflict, "the name 'REAL' belongs to class 1"),
        (lambda s: registry.name(s, "nobody", "x", "a"), NotFound, "Classes: 'real', 'new-2', 'new-3'"),
        (lambda s: registry.merge(s, "2", "2", "a"), Conflict, "cannot be merged into itself"),
        (lambda s: registry.merge(s, "2", "99", "a"), NotFound, "there is no class '99'"),
        (lambda s: registry.split(s, "2", [5, 9], "a"), BadInput, "class 2: face 9 is not a member of it"),
        (lambda s: registry.split(s, "2", [], "a"), BadInput, "class 2: no face is given"),
        (lambda s: registry.split(s, "2", [5, 6, 7, 8], "a"), BadInput, "4 of its 4 faces"),
        (lambda s: registry.split(s, "2", [5], "a", "real"), Conflict, "the name 'real' belongs to class 1"),
        (lambda s: registry.release(s, "2", [9], "a"), BadInput, "class 2: face 9 is not a member of it"),
        (lambda s: registry.make(s, [], "a"), BadInput, "a class needs faces"),
        (lambda s: registry.make(s, [99], "a"), NotFound, "there is no face 99"),
        (lambda s: registry.make(s, [5], "a", "real"), Conflict, "the name 'real' belongs to class 1"),
        (lambda s: registry.name(s, "2", "x", "a", note="a" * 4001), BadInput, "a note of 4001 characters"),
        (lambda s: registry.name(s, "2", "x", "a", note="\x1b[2J"), BadInput, "control characters"),
        (lambda s: history.undo(s, "a", 99), NotFound, "decision 99"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    store: Store, verb: Callable[[Store], object], kind: type[OwclError], words: str
) -> None:
    before = members(store), registered(store)
    with pytest.raises(kind, match=words):
        verb(store)
    assert ((members(store), registered(store)), history.latest(store)) == (before, [])


def test_a_tombstone_takes_no_more_decisions(store: Store) -> None:
    registry.merge(store, "3", "2", "anna")
    registry.reject(store, "2", "anna")
    with pytest.raises(Conflict, match="class 3: it was merged into class 2"):
        registry.name(store, "3", "x", "anna")
    with pytest.raises(Conflict, match="class 2: it was rejected"):
        registry.merge(store, "2", "1", "anna")


def test_somebodys_word_counts_more_than_the_model(store: Store) -> None:
    ids = np.array([5, 13])
    with store.transaction() as transaction:
        version = models.add(transaction, "models/1.safetensors", {}, (1,), {})
        says = Attributions(ids, np.array([1, 1]), np.array([0.8, 0.9]), np.array([0.5, 0.25]), version)
        attributions.write(transaction, says)
        present = standing(transaction)
    assert present.face_ids.tolist() == list(range(1, 14))
    assert dict(zip(present.face_ids.tolist(), present.class_ids.tolist(), strict=True))[5] == 2
    assert (present.class_ids[-1], present.origins[-1], present.p_values[-1]) == (1, "model", 0.25)
    assert (present.origins[4], present.probabilities[4]) == ("promotion", 0.8)
    assert np.isnan(present.probabilities[0])
    assert [(line.id, line.faces) for line in class_view.list_classes(store)] == [(1, 5), (2, 4), (3, 4)]


def test_a_class_is_shown_with_evidence_faces_and_its_history(store: Store) -> None:
    registry.name(store, "2", "a", "anna")
    registry.merge(store, "3", "a", "ben")
    registry.name(store, "real", "genuine", "cleo")
    view = class_view.show(store, "A")
    assert (view.line.name, view.line.born, view.line.faces, view.members) == ("a", 1, 8, 8)
    assert view.nearest is not None
    assert (view.nearest.name, view.evidence["stability"]) == ("genuine", 0.9)
    assert view.examples == tuple(f"{n}.png" for n in range(5, 10))
    assert [one.who for one in view.decisions] == ["ben", "anna"]
    assert [one.who for one in class_view.show(store, "3").decisions] == ["ben"]
