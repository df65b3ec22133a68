"""What becomes of what happens in a workspace while a step of work is under way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from owcl.engine import memory, registry
from owcl.engine.discover import DiscoverResult, discover
from owcl.engine.ingest import ingest
from owcl.engine.queue import queue
from owcl.engine.train import NewVersion, store_answer
from owcl.engine.update import update
from owcl.engine.workspace import Report, Workspace
from owcl.errors import Conflict
from storage import attributions, experiences, faces, memberships, quarantine
from tests.conftest import SmallWorld


@pytest.fixture
def workspace(small_world: SmallWorld, tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(small_world.copy(tmp_path)) as opened:
        yield opened


@pytest.fixture
def known(small_world: SmallWorld) -> list[str]:
    """Faces of known methods."""
    return [str(path) for path in sorted(small_world.quiet.iterdir())]


def states(workspace: Workspace) -> list[str]:
    with workspace.store.reading() as transaction:
        return [one.state for one in experiences.everything(transaction)]


def faces_of(workspace: Workspace, experience: int) -> int:
    with workspace.store.reading() as transaction:
        return faces.count(transaction, experience)


def once(action: Callable[[], object]) -> Report:
    """Return a report that does something when the clusters are looked for."""

    def report(what: str, done: int, total: int | None) -> None:
        if what == "clustering":
            action()

    return report


def test_faces_that_come_in_while_discovery_is_at_work_are_of_the_next_experience(
    workspace: Workspace, known: list[str]
) -> None:
    ingest(workspace, known[:5])
    discover(workspace, once(lambda: ingest(workspace, known[5:8])))
    assert states(workspace) == ["updated", "discovered", "ingested"]
    assert (faces_of(workspace, 1), faces_of(workspace, 2)) == (5, 3)
    again = ingest(workspace, known[8:10])
    assert again.experience == 2
    assert discover(workspace).experience == 2


def test_faces_that_came_in_since_discovery_do_not_hold_up_the_update(
    workspace: Workspace, small_world: SmallWorld, known: list[str]
) -> None:
    ingest(workspace, [str(small_world.arriving)])
    (found,) = discover(workspace, once(lambda: ingest(workspace, known[:3]))).promoted
    learned = update(workspace)
    assert (learned.experience, learned.answers) == (1, "adapted")
    assert found.id in workspace.answer().class_ids
    assert states(workspace) == ["updated", "updated", "ingested"]
    with workspace.store.reading() as transaction:
        asked = faces.in_experience(transaction, 1)
    assert set(asked) >= {question.face_id for question in queue(workspace, 3)} > set()
    ingest(workspace, known[3:6])
    assert discover(workspace).came_in == 6


def test_a_second_discovery_is_refused_while_one_is_at_work(workspace: Workspace, known: list[str]) -> None:
    def second() -> None:
        with pytest.raises(Conflict, match=r"discover \(process \d+\) is at work here"):
            discover(workspace)
        with pytest.raises(Conflict, match="update cannot be at the same time"):
            update(workspace)

    ingest(workspace, known[:5])
    discover(workspace, once(second))
    assert states(workspace) == ["updated", "discovered"]


def test_a_discovery_of_what_another_one_has_closed_keeps_nothing(
    workspace: Workspace, known: list[str]
) -> None:
    def close() -> None:
        with workspace.store.transaction() as transaction:
            experiences.set_state(transaction, 1, "discovered")

    ingest(workspace, known[:5])
    with pytest.raises(Conflict, match="experience 1: it was discovered by another step meanwhile"):
        discover(workspace, once(close))


def test_what_an_operator_says_while_discovery_is_at_work_counts(
    workspace: Workspace, small_world: SmallWorld
) -> None:
    said: list[int] = []

    def label() -> None:
        with workspace.store.reading() as transaction:
            said.extend(faces.in_experience(transaction, 1)[::4].tolist())
        registry.label(workspace.store, "real", said, "anna")

    ingest(workspace, [str(small_world.arriving)])
    result: DiscoverResult = discover(workspace, once(label))
    with workspace.store.reading() as transaction:
        belonging = memberships.active(transaction)
        (found,) = result.promoted
        members = memberships.members(transaction, found.id)
    rows = np.isin(belonging.face_ids, said)
    assert set(np.array(belonging.origins)[rows].tolist()) == {"operator"}
    assert rows.sum() == len(said)
    assert result.sizes == {found.id: len(members)}


def test_nothing_new_begins_no_experience(
    workspace: Workspace, small_world: SmallWorld, known: list[str], tmp_path: Path
) -> None:
    ingest(workspace, known[:5])
    discover(workspace)
    empty = tmp_path / "empty.png"
    empty.touch()
    again = ingest(workspace, [*known[:5], str(empty)])
    assert (again.experience, again.new, again.already, again.quarantined) == (1, 0, 5, 1)
    with workspace.store.reading() as transaction:
        assert quarantine.count(transaction) == 1
    assert update(workspace).answers == "unchanged"
    assert states(workspace) == ["updated", "updated"]


def test_faces_that_came_in_while_a_version_was_learned_hold_up_no_later_ones(
    workspace: Workspace, known: list[str]
) -> None:
    ingest(workspace, known[:5])
    with workspace.store.reading() as transaction:
        kept = memory.recall(transaction)
    store_answer(workspace, NewVersion(workspace.answer(), kept, 1, {}), 0)
    assert ingest(workspace, known[5:8]).new == 3
    with workspace.store.reading() as transaction:
        assert len(attributions.first_sight(transaction, 1).face_ids) == 8
