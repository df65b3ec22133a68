"""Which faces of a discovered class that come back are remembered with those that it was learned from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sqlalchemy import update as change

from owcl.config import FILE_NAME
from owcl.engine import memory, registry
from owcl.engine.discover import discover
from owcl.engine.ingest import ingest
from owcl.engine.returning import returned_faces
from owcl.engine.update import update
from owcl.engine.workspace import Workspace
from owcl.memory.replay import PSEUDO_LABELLED, Exemplars
from owcl.types import Cluster
from storage import clusters, faces, memberships
from storage.schema import AttributionRow
from tests.conftest import NEW, SmallWorld, render
from tests.engine.conftest import NUMBER

ROOM = 80
"""Faces kept of each class, of which the small world has filled half."""


@dataclass(frozen=True)
class CameBack:
    """A workspace whose class is half full, and 60 faces that came in: what was said of them is made up."""

    workspace: Workspace
    sure: NDArray[np.int64]
    """Taken for the class with a probability of 0.75; none is held out."""
    unsure: NDArray[np.int64]
    """With one of 0.4."""
    held_out: NDArray[np.int64]
    """With one of 0.75 again."""

    def remembered(self) -> Exemplars:
        with self.workspace.store.reading() as transaction:
            return memory.recall(transaction)

    def come_back(self, remembered: Exemplars | None = None) -> Exemplars:
        present = self.remembered() if remembered is None else remembered
        return returned_faces(self.workspace, 2, present, np.random.default_rng(0))


def with_room(after_update: Path, place: Path) -> Path:
    root = Path(shutil.copytree(after_update, place / "workspace"))
    with Workspace.open(root) as workspace:
        kept = workspace.configuration.memory.model_copy(update={"per_class": ROOM})
        workspace.configuration.model_copy(update={"memory": kept}).write(root / FILE_NAME)
    return root


@pytest.fixture
def back(after_update: Path, small_world: SmallWorld, tmp_path: Path) -> Iterator[CameBack]:
    with Workspace.open(with_room(after_update, tmp_path)) as workspace:
        ingest(workspace, [str(small_world.quiet)])
        with workspace.store.transaction() as transaction:
            came_in = faces.in_experience(transaction, 2)
            apart = faces.are_held_out(transaction, came_in)
            sure, unsure = came_in[~apart][:20], came_in[~apart][20:30]
            for face_ids, probability in ((sure, 0.75), (unsure, 0.4), (came_in[apart], 0.75)):
                theirs = AttributionRow.face_id.in_(face_ids.tolist())
                said = {"class_id": NUMBER, "probability": probability}
                transaction.execute(change(AttributionRow).where(theirs).values(said))
            others = AttributionRow.face_id.in_(came_in[~apart][30:].tolist())
            transaction.execute(change(AttributionRow).where(others).values({"class_id": 1}))
        yield CameBack(workspace, sure, unsure, came_in[apart])


def test_what_was_taken_for_the_class_makes_it_firmer_by_the_probability_of_first_sight(
    back: CameBack,
) -> None:
    found = back.come_back()
    assert found.face_ids.tolist() == back.sure.tolist()
    assert set(found.class_ids.tolist()) == {NUMBER}
    assert found.weights.tolist() == [0.75] * 20
    assert set(found.origins.tolist()) == {PSEUDO_LABELLED}
    present, images = back.workspace.pixels(back.sure)
    assert present.tolist() == back.sure.tolist()
    assert (found.images == images).all()


def test_what_discovery_recognised_makes_the_class_firmer_whatever_it_was_taken_for(back: CameBack) -> None:
    with back.workspace.store.transaction() as transaction:
        recognised = memberships.Grounds("promotion", weight=0.625)
        memberships.assign(transaction, back.unsure, NUMBER, recognised)
    found = back.come_back()
    assert np.isin(back.unsure, found.face_ids).all()
    assert set(found.weights[np.isin(found.face_ids, back.unsure)].tolist()) == {0.625}


def test_what_is_held_out_makes_no_class_firmer(back: CameBack) -> None:
    assert len(back.held_out) > 0
    assert not np.isin(back.held_out, back.come_back().face_ids).any()


@pytest.mark.parametrize(("vouch", "join"), [(0, 0), (7, 7), (40, 20)])
def test_no_more_join_at_once_than_vouch_for_the_class(back: CameBack, vouch: int, join: int) -> None:
    remembered = back.remembered()
    of_class = np.flatnonzero(remembered.class_ids == NUMBER)
    assert len(of_class) == 40
    fewer = remembered.take(np.setdiff1d(np.arange(len(remembered)), of_class[vouch:]))
    assert len(back.come_back(fewer)) == join


def test_a_class_takes_in_what_there_is_room_for_and_none_once_it_is_full(back: CameBack) -> None:
    for per_class, join in ((45, 5), (40, 0), (30, 0)):
        kept = back.workspace.configuration.memory.model_copy(update={"per_class": per_class})
        back.workspace.configuration.model_copy(update={"memory": kept}).write(
            back.workspace.root / FILE_NAME
        )
        with Workspace.open(back.workspace.root) as workspace:
            found = returned_faces(workspace, 2, back.remembered(), np.random.default_rng(0))
        assert len(found) == join


def test_what_somebody_put_elsewhere_or_took_out_does_not_come_back_by_itself(back: CameBack) -> None:
    registry.label(back.workspace.store, "real", back.sure[:3].tolist(), "anna")
    registry.label(back.workspace.store, str(NUMBER), back.sure[3:8].tolist(), "anna")
    registry.release(back.workspace.store, str(NUMBER), back.sure[3:8].tolist(), "anna")
    assert back.come_back().face_ids.tolist() == back.sure[8:].tolist()


def test_what_waits_to_be_a_class_of_its_own_makes_no_other_firmer(back: CameBack) -> None:
    with back.workspace.store.transaction() as transaction:
        candidate = Cluster(back.sure[:6], np.zeros(2, np.float32), stability=1.0)
        clusters.add(transaction, candidate, clusters.Sighting(2, 2))
    assert back.come_back().face_ids.tolist() == back.sure[6:].tolist()


def test_a_class_that_was_rejected_takes_in_nothing_and_a_merged_one_for_the_other(back: CameBack) -> None:
    other = registry.make(back.workspace.store, back.held_out[:2].tolist(), "anna")
    registry.merge(back.workspace.store, str(NUMBER), str(other.id), "anna")
    assert set(back.come_back().class_ids.tolist()) == {other.id}
    registry.reject(back.workspace.store, str(other.id), "anna")
    assert len(back.come_back()) == 0


def test_known_classes_take_in_nothing(back: CameBack) -> None:
    remembered = back.remembered()
    fewer = remembered.take(remembered.class_ids != 1)
    assert set(back.come_back(fewer).class_ids.tolist()) == {NUMBER}


def test_an_update_remembers_what_came_back_once_and_keeps_the_network(
    after_update: Path, tmp_path: Path
) -> None:
    # Too few to be looked through for a class of their own.
    render(tmp_path / "more", NEW, range(120, 135))
    with Workspace.open(with_room(after_update, tmp_path)) as workspace:
        before = workspace.answer()
        ingest(workspace, [str(tmp_path / "more")])
        discover(workspace)
        with workspace.store.reading() as transaction:
            came_in = faces.in_experience(transaction, 2)
            free = came_in[~faces.are_held_out(transaction, came_in)]
        assert update(workspace).answers == "extended"
        after = workspace.answer()
        assert np.isin(free, after.exemplar_faces[after.exemplar_ids == NUMBER]).mean() > 0.7
        assert np.isin(before.exemplar_faces, after.exemplar_faces).all()
        weights = zip(before.network.state_dict().values(), after.network.state_dict().values(), strict=True)
        assert all(torch.equal(old, new) for old, new in weights)
        assert update(workspace).answers == "unchanged"
