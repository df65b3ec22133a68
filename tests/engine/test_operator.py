"""Operators as a simulation plays them, on a workspace that really lives through an arrival."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from owcl.engine import class_view, registry
from owcl.engine.operator import Operator, answer, parsed
from owcl.engine.queue import queue
from owcl.engine.update import update, vouched_for
from owcl.engine.workspace import Workspace
from owcl.errors import BadInput
from owcl.types import Cluster
from storage import clusters, exemplars, faces, memberships, models
from tests.conftest import NEW

METHODS = ("real", "sub_pixel", "nearest_neighbour", NEW)


def truth_of(source: str) -> int:
    return next(number for number, method in enumerate(METHODS) if method in Path(source).name)


@pytest.fixture
def discovered(after_discovery: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(after_discovery, tmp_path / "workspace"))


def stands_for(workspace: Workspace) -> dict[int, int | None]:
    lines = class_view.list_classes(workspace.store)
    return {line.id: METHODS.index(line.name) if line.name in METHODS else len(METHODS) - 1 for line in lines}


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("oracle", Operator("oracle")),
        ("noisy:0.1", Operator("noisy", mistakes=0.1)),
        ("lazy:5", Operator("lazy", 5)),
        ("random:7", Operator("random", 7)),
    ],
)
def test_operators_are_named_by_kind_and_number(text: str, operator: Operator) -> None:
    assert parsed(text) == operator


@pytest.mark.parametrize("text", ["", "lazy", "lazy:0", "noisy:2", "oracle:3", "bored:1", "random:many"])
def test_an_operator_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"oracle, noisy:0\.1"):
        parsed(text)


def test_answers_of_an_oracle_are_true_and_are_remembered_as_an_operators(discovered: Path) -> None:
    with Workspace.open(discovered) as workspace:
        asked = queue(workspace, 12)
        count = answer(
            workspace, Operator("lazy", 12), truth_of, stands_for(workspace), np.random.default_rng(0)
        )
        assert 0 < count <= len(asked) == 12
        with workspace.store.reading() as transaction:
            active = memberships.active(transaction)
        told = [row for row, origin in enumerate(active.origins) if origin == "operator"]
        sources = {question.face_id: question.source for question in asked}
        names = stands_for(workspace)
        for row in told:
            face_id, class_id = int(active.face_ids[row]), int(active.class_ids[row])
            assert names[class_id] == truth_of(sources[face_id])
        assert {question.face_id for question in queue(workspace, 500)}.isdisjoint(
            active.face_ids[told].tolist()
        )
        update(workspace)
        with workspace.store.reading() as transaction:
            kept = {row.face_id: row for row in exemplars.read(transaction)}
        learned = [kept[face_id] for face_id in active.face_ids[told].tolist() if face_id in kept]
        assert learned
        assert {row.origin for row in learned} == {"operator"}


def test_faces_that_stand_in_the_wrong_class_are_asked_about_first(discovered: Path) -> None:
    with Workspace.open(discovered) as workspace:
        with workspace.store.reading() as transaction:
            recent = faces.by_ids(transaction, faces.in_experience(transaction, 1))
        strays = [face.id for face in recent if "sub_pixel" in Path(face.source).name][:4]
        (new,) = (
            entry for entry in class_view.list_classes(workspace.store) if entry.status == "provisional"
        )
        with workspace.store.transaction() as transaction:
            memberships.assign(transaction, strays, new.id, memberships.Grounds("promotion"))
        asked = queue(workspace, 12)
        assert len({question.face_id for question in asked} & set(strays)) >= 3
        for question in asked:
            if question.face_id in strays:
                assert question.stands_in is not None
                assert question.stands_in.id == new.id
                assert question.looks_like is not None
                assert question.looks_like.name == "sub_pixel"
                assert question.doubt > 0.5


def test_a_class_that_an_operator_vouches_for_is_no_guess_any_more(discovered: Path) -> None:
    with Workspace.open(discovered) as workspace:
        (new,) = (
            entry for entry in class_view.list_classes(workspace.store) if entry.status == "provisional"
        )
        with workspace.store.reading() as transaction:
            members = memberships.members(transaction, new.id)
        seen = []
        for faces_put in (members[:2], members[:3]):
            registry.label(workspace.store, str(new.id), faces_put.tolist(), "anna")
            with workspace.store.reading() as transaction:
                seen.append(new.id in vouched_for(transaction))
        assert seen == [False, True]


def test_a_name_alone_is_something_to_update_with(discovered: Path) -> None:
    with Workspace.open(discovered) as workspace:
        (new,) = (
            entry for entry in class_view.list_classes(workspace.store) if entry.status == "provisional"
        )
        assert update(workspace).answers != "unchanged"
        assert update(workspace).answers == "unchanged"
        guess = workspace.answer()
        registry.name(workspace.store, str(new.id), "Prism", "anna")
        named = update(workspace)
        assert named.answers == "extended"
        assert update(workspace).answers == "unchanged"
        answer_now = workspace.answer()
        assert (named.model_version, answer_now.version) == (3, 3)
        assert guess.vouched == frozenset()
        assert answer_now.vouched == frozenset({new.id})
        with workspace.store.reading() as transaction:
            versions = models.everything(transaction)
    assert len({version.weights for version in versions}) == 3
    assert all((discovered / version.weights).exists() for version in versions)


def test_two_classes_of_one_method_are_merged_by_the_operator_who_meets_both(discovered: Path) -> None:
    with Workspace.open(discovered) as workspace:
        (new,) = (
            entry for entry in class_view.list_classes(workspace.store) if entry.status == "provisional"
        )
        with workspace.store.reading() as transaction:
            members = memberships.members(transaction, new.id)
        second = registry.split(workspace.store, str(new.id), members[::2].tolist(), "anna")
        count = answer(
            workspace, Operator("random", 40), truth_of, stands_for(workspace), np.random.default_rng(0)
        )
        assert count == 40
        (line,) = (entry for entry in class_view.list_classes(workspace.store) if entry.id == second.id)
        assert line.status == "merged"
        with workspace.store.reading() as transaction:
            active = memberships.active(transaction)
            told = [row for row, origin in enumerate(active.origins) if origin == "operator"]
            mine = memberships.members(transaction, new.id)
    assert second.id not in active.class_ids[told]
    assert len(np.intersect1d(mine, members)) > 0.9 * len(members)


@pytest.mark.parametrize("waits", [True, False])
def test_faces_of_a_method_without_a_class_become_one(discovered: Path, waits: bool) -> None:
    with Workspace.open(discovered) as workspace:
        (new,) = (
            entry for entry in class_view.list_classes(workspace.store) if entry.status == "provisional"
        )
        with workspace.store.transaction() as transaction:
            members = memberships.members(transaction, new.id)
            memberships.end(transaction, members)
            if waits:
                sighting = clusters.Sighting(1, 1, {})
                clusters.add(transaction, Cluster(members, np.zeros(2, np.float32), 0.5), sighting)
        known = {key: value for key, value in stands_for(workspace).items() if key != new.id}
        answer(workspace, Operator("random", 40), truth_of, known, np.random.default_rng(0))
        (made,) = (entry for entry in class_view.list_classes(workspace.store) if entry.id > new.id)
        with workspace.store.reading() as transaction:
            of_it = memberships.members(transaction, made.id)
            vouched = vouched_for(transaction)
    assert made.id in vouched
    if waits:
        # The whole cluster, but for faces of which the operator said that they are of another method.
        left_out = _sources(discovered, np.setdiff1d(members, of_it))
        assert all(NEW not in Path(source).name for source in left_out)
    else:
        assert 3 <= len(of_it) <= 40
        assert all(NEW in Path(source).name for source in _sources(discovered, of_it))


def _sources(root: Path, face_ids: np.ndarray) -> list[str]:
    with Workspace.open(root) as workspace, workspace.store.reading() as transaction:
        return [face.source for face in faces.by_ids(transaction, face_ids)]


def test_a_noisy_operator_is_wrong_at_times(discovered: Path) -> None:
    with Workspace.open(discovered) as workspace:
        answer(
            workspace,
            Operator("noisy", 40, mistakes=1.0),
            truth_of,
            stands_for(workspace),
            np.random.default_rng(0),
        )
        with workspace.store.reading() as transaction:
            active = memberships.active(transaction)
            told = [row for row, origin in enumerate(active.origins) if origin == "operator"]
        names = stands_for(workspace)
        assert len(told) == 40
        assert len({int(active.class_ids[row]) for row in told}) == len(names)


def test_a_name_a_merge_and_a_split_survive_five_updates(discovered: Path) -> None:
    with Workspace.open(discovered) as workspace:
        store = workspace.store
        (new,) = (entry for entry in class_view.list_classes(store) if entry.status == "provisional")
        with store.reading() as transaction:
            members = memberships.members(transaction, new.id).tolist()
            spare = faces.by_ids(transaction, faces.in_experience(transaction, 1))
        loose = [
            face.id for face in spare if "sub_pixel" in Path(face.source).name and face.id not in members
        ]
        registry.name(store, str(new.id), "Prism", "anna")
        part = registry.split(store, "Prism", members[::3], "anna", "Prism 2")
        stray = registry.split(store, "Prism", members[1::3], "anna")
        registry.merge(store, str(stray.id), "Prism 2", "anna")
        decided = {
            new.id: ("named", "Prism", set(members[2::3])),
            part.id: ("named", "Prism 2", set(members[::3]) | set(members[1::3])),
        }
        for face_id in loose[:5]:
            registry.label(store, "sub_pixel", [face_id], "anna")
            result = update(workspace)
            assert result.answers != "unchanged"
            lines = {entry.id: entry for entry in class_view.list_classes(store)}
            with store.reading() as transaction:
                standing = {
                    class_id: (
                        lines[class_id].status,
                        lines[class_id].name,
                        set(memberships.members(transaction, class_id).tolist()),
                    )
                    for class_id in decided
                }
            assert standing == decided
            assert lines[stray.id].status == "merged"
            answered = set(workspace.answer().class_ids.tolist())
            assert {new.id, part.id} <= answered
            assert stray.id not in answered
        assert result.model_version == 6
