"""What an update remembers, beside what discovery has put into classes; and that it is all or nothing."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sqlalchemy import delete, text
from sqlalchemy.exc import DatabaseError

from owcl.config import FILE_NAME
from owcl.engine import memory, registry
from owcl.engine.discover import discover
from owcl.engine.ingest import ingest
from owcl.engine.update import update
from owcl.engine.workspace import Workspace
from owcl.learners.cal import CAL
from owcl.learners.registry import LEARNERS
from owcl.learners.strategy import TrainableLearner
from owcl.memory.replay import Exemplars
from owcl.models.network import Network
from owcl.types import Face
from storage import attributions, experiences, faces, memberships, models
from storage.schema import MembershipRow
from tests.conftest import NEW, SmallWorld

DISK_IS_FULL = """
CREATE TRIGGER disk_is_full BEFORE INSERT ON attributions BEGIN SELECT RAISE(ABORT, 'the disk is full'); END
"""


@dataclass(frozen=True)
class Learned:
    """A discovered class of which a third was missed and a third taken out before it was learned."""

    missed: NDArray[np.int64]
    taken_out: NDArray[np.int64]
    joined: Exemplars
    """What is remembered of it beside its members."""
    joiners: list[Face]
    calibration_share: float
    known_to_cal: list[bool]
    """For each output, whether CAL would have counted it among the known ones."""


@pytest.fixture(scope="module")
def learned(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    with Workspace.open(small_world.copy(tmp_path_factory.mktemp("learned"))) as workspace:
        ingest(workspace, [str(small_world.arriving)])
        (found,) = discover(workspace).promoted
        with workspace.store.transaction() as transaction:
            members = memberships.members(transaction, found.id)
            missed = members[::3]
            # As though discovery had never seen that they are of it.
            transaction.execute(delete(MembershipRow).where(MembershipRow.face_id.in_(missed.tolist())))
        registry.release(workspace.store, str(found.id), members[1::3].tolist(), "anna")
        groups: list[list[bool]] = []

        def watched(network: Network, rng: torch.Generator, teacher: Network | None) -> TrainableLearner:
            groups.append(CAL(network, rng, teacher=teacher).known.tolist())
            return LEARNERS["cpl"](network, rng, teacher)

        with pytest.MonkeyPatch.context() as patching:
            patching.setitem(LEARNERS, "watched", watched)
            update(workspace, learner="watched")
        with workspace.store.reading() as transaction:
            remembered = memory.recall(transaction)
            joined = remembered.take(
                (remembered.class_ids == found.id) & ~np.isin(remembered.face_ids, members[2::3])
            )
            joiners = list(faces.by_ids(transaction, joined.face_ids))
        share = workspace.configuration.memory.calibration_share
    return Learned(missed, members[1::3], joined, joiners, share, *groups)


def test_faces_of_a_new_method_that_discovery_missed_are_remembered_with_those_it_found(
    learned: Learned,
) -> None:
    assert np.isin(learned.missed, learned.joined.face_ids).mean() > 0.3
    assert np.mean([NEW in face.source for face in learned.joiners]) > 0.8
    assert learned.joined.weights.max() < 1


def test_what_somebody_took_out_of_a_class_does_not_join_it_by_itself(learned: Learned) -> None:
    assert not np.isin(learned.taken_out, learned.joined.face_ids).any()


def test_what_is_held_out_joins_no_class(learned: Learned) -> None:
    assert not any(memory.is_held_out(face.sha256, learned.calibration_share) for face in learned.joiners)


@pytest.fixture
def short(small_world: SmallWorld, tmp_path: Path) -> Path:
    """A workspace with a class to learn, in one step."""
    root = small_world.copy(tmp_path)
    with Workspace.open(root) as workspace:
        training = workspace.configuration.training.model_copy(update={"update_steps": 1, "refine_steps": 0})
        workspace.configuration.model_copy(update={"training": training}).write(root / FILE_NAME)
        ingest(workspace, [str(small_world.quiet)])
        with workspace.store.transaction() as transaction:
            experiences.set_state(transaction, 1, "discovered")
            arrived = faces.in_experience(transaction, 1)
        registry.make(workspace.store, arrived[::2].tolist(), "anna")
    return root


def test_an_update_that_fails_while_it_attributes_anew_has_not_happened_and_is_done_by_the_next(
    short: Path,
) -> None:
    undisturbed = Path(shutil.copytree(short, short.parent / "undisturbed"))
    with Workspace.open(undisturbed) as workspace:
        update(workspace)
    with Workspace.open(short) as workspace:
        with workspace.store.transaction() as transaction:
            transaction.execute(text(DISK_IS_FULL))
        before = _come_to(workspace)
        with pytest.raises(DatabaseError, match="the disk is full"):
            update(workspace)
        assert _come_to(workspace) == before
        with workspace.store.transaction() as transaction:
            transaction.execute(text("DROP TRIGGER disk_is_full"))
        update(workspace)
        with Workspace.open(undisturbed) as other:
            assert _come_to(workspace) == _come_to(other) != before


def _come_to(workspace: Workspace) -> object:
    """Return how far an experience has come, which model answers, and what it says of each face."""
    with workspace.store.reading() as transaction:
        latest, answering = experiences.latest(transaction), models.answering(transaction)
        assert latest is not None
        assert answering is not None
        judged = attributions.current(transaction, latest.index)
    said = zip(judged.face_ids.tolist(), judged.class_ids.tolist(), judged.p_values.tolist(), strict=True)
    return latest.state, answering.id, judged.model_version, list(said)


def test_for_cal_the_class_that_was_just_discovered_is_the_novel_group(learned: Learned) -> None:
    assert learned.known_to_cal == [True, True, True, False]
