"""What a discovery makes of more faces of a class that was not learned yet."""

from __future__ import annotations

import shutil
from pathlib import Path

from owcl.engine.discover import discover
from owcl.engine.ingest import ingest
from owcl.engine.workspace import Workspace
from storage import memberships
from tests.conftest import NEW, SmallWorld, render
from tests.engine.conftest import NUMBER


def test_more_faces_of_a_class_that_was_not_learned_yet_join_it(
    promoted: Path, small_world: SmallWorld, tmp_path: Path
) -> None:
    render(tmp_path / "more", NEW, range(120, 200))
    with Workspace.open(Path(shutil.copytree(promoted, tmp_path / "workspace"))) as workspace:
        with workspace.store.reading() as transaction:
            before = memberships.members(transaction, NUMBER)
        ingest(workspace, [str(tmp_path / "more"), str(small_world.quiet)])
        result = discover(workspace)
        with workspace.store.reading() as transaction:
            after = memberships.members(transaction, NUMBER)
    assert result.promoted == ()
    assert len(after) > len(before) + 40
