"""What an update learns once operators had their say, what it remembers, and that it is all or nothing."""

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
from torch import Tensor

from owcl.config import FILE_NAME
from owcl.engine import history, memory, registry
from owcl.engine.ingest import ingest
from owcl.engine.queue import queue
from owcl.engine.update import update
from owcl.engine.workspace import Workspace
from owcl.faces.views import to_float
from owcl.learners.base import Batch, Learner
from owcl.learners.cal import CAL
from owcl.learners.registry import LEARNERS
from owcl.learners.rehearsal import DARK, Rehearsal
from owcl.memory.replay import Exemplars
from owcl.models.backbones import FORENSIC
from owcl.models.network import Network
from owcl.types import UNKNOWN, Face, MethodClass
from storage import attributions, classes, experiences, faces, memberships, models
from storage.schema import MembershipRow
from tests.conftest import NEW, SmallWorld
from tests.engine.conftest import NUMBER

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
    held_out_joiners: int
    known_to_cal: list[bool]
    """For each output, whether CAL would have counted it among the known ones."""


def remembered_as(workspace: Workspace, class_id: int) -> NDArray[np.int64]:
    with workspace.store.reading() as transaction:
        remembered = memory.recall(transaction)
    return remembered.face_ids[remembered.class_ids == class_id]


def members_of(workspace: Workspace, class_id: int) -> NDArray[np.int64]:
    with workspace.store.reading() as transaction:
        return memberships.members(transaction, class_id)


def test_a_class_whose_only_face_is_held_out_is_passed_over(promoted: Path, tmp_path: Path) -> None:
    with Workspace.open(Path(shutil.copytree(promoted, tmp_path / "workspace"))) as workspace:
        with workspace.store.reading() as transaction:
            arrived = faces.in_experience(transaction, 1)
            held_out = arrived[faces.are_held_out(transaction, arrived)]
        alone = registry.make(workspace.store, held_out[:1].tolist(), "anna")
        update(workspace)
        known = workspace.answer().class_ids
    assert NUMBER in known
    assert alone.id not in known


@pytest.mark.parametrize("verb", ["reject", "merge"])
def test_a_known_class_that_was_gone_during_an_update_is_learned_again_once_it_is_back(
    promoted: Path, tmp_path: Path, verb: str
) -> None:
    with Workspace.open(Path(shutil.copytree(promoted, tmp_path / "workspace"))) as workspace:
        (real,) = (entry for entry in _live(workspace) if entry.name == "real")
        if verb == "reject":
            registry.reject(workspace.store, "real", "anna")
        else:
            registry.merge(workspace.store, "real", "sub_pixel", "anna")
        update(workspace)
        assert real.id not in workspace.answer().class_ids
        history.undo(workspace.store, "anna")
        update(workspace)
        assert {real.id, NUMBER} <= set(workspace.answer().class_ids.tolist())
        assert len(remembered_as(workspace, real.id)) == 40
        assert update(workspace).answers == "unchanged"


def test_a_known_class_that_is_back_stands_behind_the_outputs_that_the_teacher_has(
    promoted: Path, tmp_path: Path
) -> None:
    rightly: list[float] = []

    class Watched(Rehearsal):
        def losses(self, batch: Batch) -> dict[str, Tensor]:
            # The two labelled classes that stayed; what was just discovered was learned for one step only.
            stayed = batch.labels < 2
            answers = self.teacher(to_float(batch.images[stayed])).logits.argmax(dim=1)
            rightly.append((answers == batch.labels[stayed]).float().mean().item())
            return super().losses(batch)

    def watched(network: Network, rng: torch.Generator, teacher: Network | None) -> Learner:
        assert teacher is not None
        assert torch.equal(network.head.weight[: teacher.num_classes], teacher.head.weight)
        return Watched(network, rng, DARK, teacher)

    with Workspace.open(Path(shutil.copytree(promoted, tmp_path / "workspace"))) as workspace:
        registry.reject(workspace.store, "real", "anna")
        update(workspace)
        history.undo(workspace.store, "anna")
        with pytest.MonkeyPatch.context() as patching:
            patching.setitem(LEARNERS, "watched", watched)
            update(workspace, learner="watched")
    assert np.mean(rightly) > 0.9


def test_members_of_a_class_that_was_merged_before_it_was_learned_are_learned(
    promoted: Path, tmp_path: Path
) -> None:
    with Workspace.open(Path(shutil.copytree(promoted, tmp_path / "workspace"))) as workspace:
        members = members_of(workspace, NUMBER)
        target = registry.merge(workspace.store, str(NUMBER), "real", "anna")
        assert update(workspace).answers != "unchanged"
        assert np.isin(members, remembered_as(workspace, target.id)).any()
        assert update(workspace).answers == "unchanged"


def test_what_an_operator_moves_is_learned_where_it_belongs_and_what_is_taken_back_is_forgotten(
    promoted: Path, tmp_path: Path
) -> None:
    with Workspace.open(Path(shutil.copytree(promoted, tmp_path / "workspace"))) as workspace:
        update(workspace)
        (real,) = (entry for entry in _live(workspace) if entry.name == "real")
        moved = remembered_as(workspace, real.id)[:5]
        registry.label(workspace.store, "sub_pixel", moved.tolist(), "anna")
        assert update(workspace).answers != "unchanged"
        (other,) = (entry for entry in _live(workspace) if entry.name == "sub_pixel")
        assert np.isin(moved, remembered_as(workspace, other.id)).all()
        history.undo(workspace.store, "anna")
        released = remembered_as(workspace, NUMBER)[:5]
        registry.release(workspace.store, str(NUMBER), released.tolist(), "anna")
        before = workspace.answer().exemplar_ids
        assert update(workspace).answers == "extended"
        after = workspace.answer().exemplar_ids
        assert (after == real.id).sum() == (before == real.id).sum() + 5
        assert not np.isin(released, remembered_as(workspace, NUMBER)).any()
        # Other members, for which there was no room, have come in their place.
        assert (after == NUMBER).sum() == (before == NUMBER).sum()
        assert update(workspace).answers == "unchanged"


def test_a_face_that_was_learned_in_the_wrong_class_does_not_speak_for_it_in_the_queue(
    promoted: Path, tmp_path: Path
) -> None:
    with Workspace.open(Path(shutil.copytree(promoted, tmp_path / "workspace"))) as workspace:
        with workspace.store.transaction() as transaction:
            arrived = faces.by_ids(transaction, faces.in_experience(transaction, 1))
            wrong = [face.id for face in arrived if "real" in face.source]
            memberships.assign(transaction, wrong, NUMBER, memberships.Grounds("promotion"))
        update(workspace)
        doubts = {question.face_id: question.doubt for question in queue(workspace, 129)}
        remembered = np.intersect1d(wrong, remembered_as(workspace, NUMBER)).tolist()
        answer = workspace.answer()
        answer.exemplar_faces[:] = UNKNOWN
        answer.save(workspace.root / _weights(workspace), {"backbone": FORENSIC})
        twice = {question.face_id: question.doubt for question in queue(workspace, 129)}
    assert remembered
    assert all(doubts[face_id] > twice[face_id] for face_id in remembered)


def _weights(workspace: Workspace) -> str:
    with workspace.store.reading() as transaction:
        version = models.answering(transaction)
    assert version is not None
    return version.weights


def _live(workspace: Workspace) -> list[MethodClass]:
    with workspace.store.reading() as transaction:
        return classes.live(transaction)


@pytest.fixture(scope="module")
def learned(after_discovery: Path, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    root = Path(shutil.copytree(after_discovery, tmp_path_factory.mktemp("learned") / "workspace"))
    with Workspace.open(root) as workspace:
        (found,) = (entry for entry in _live(workspace) if entry.status == "provisional")
        with workspace.store.transaction() as transaction:
            members = memberships.members(transaction, found.id)
            missed = members[::3]
            # As though discovery had never seen that they are of it.
            transaction.execute(delete(MembershipRow).where(MembershipRow.face_id.in_(missed.tolist())))
        registry.release(workspace.store, str(found.id), members[1::3].tolist(), "anna")
        groups: list[list[bool]] = []

        def watched(network: Network, rng: torch.Generator, teacher: Network | None) -> Learner:
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
            held_out = int(faces.are_held_out(transaction, joined.face_ids).sum())
    return Learned(missed, members[1::3], joined, joiners, held_out, *groups)


def test_faces_of_a_new_method_that_discovery_missed_are_remembered_with_those_it_found(
    learned: Learned,
) -> None:
    assert np.isin(learned.missed, learned.joined.face_ids).mean() > 0.3
    assert np.mean([NEW in face.source for face in learned.joiners]) > 0.8
    assert learned.joined.weights.max() < 1


def test_what_somebody_took_out_of_a_class_does_not_join_it_by_itself(learned: Learned) -> None:
    assert not np.isin(learned.taken_out, learned.joined.face_ids).any()


def test_what_is_held_out_joins_no_class(learned: Learned) -> None:
    assert learned.held_out_joiners == 0


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
