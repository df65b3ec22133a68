"""What an update remembers, beside what discovery has put into classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from owcl.engine import memory, registry
from owcl.engine.discover import discover
from owcl.engine.ingest import ingest
from owcl.engine.update import update
from owcl.engine.workspace import Workspace
from storage import faces, memberships
from tests.conftest import NEW, SmallWorld


def test_faces_of_a_new_method_that_discovery_missed_are_remembered_with_those_it_found(
    small_world: SmallWorld, tmp_path: Path
) -> None:
    with Workspace.open(small_world.copy(tmp_path)) as workspace:
        ingest(workspace, [str(small_world.arriving)])
        (found,) = discover(workspace).promoted
        with workspace.store.reading() as transaction:
            members = memberships.members(transaction, found.id)
        missed = members[::2]
        registry.release(workspace.store, str(found.id), missed.tolist(), "anna")
        update(workspace)
        with workspace.store.reading() as transaction:
            remembered = memory.recall(transaction)
            remembered = remembered.take(remembered.class_ids == found.id)
            joined = remembered.take(~np.isin(remembered.face_ids, members[1::2]))
            joiners = faces.by_ids(transaction, joined.face_ids)
        share = workspace.configuration.memory.calibration_share
    assert len(joined) > 0.3 * len(missed)
    assert np.mean([NEW in face.source for face in joiners]) > 0.8
    assert joined.weights.max() < 1
    assert not any(memory.is_held_out(face.sha256, share) for face in joiners)
