"""What a discovery makes of more of the same, and of nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from owcl.cli.main import run
from owcl.engine.discover import discover
from owcl.engine.ingest import ingest
from owcl.engine.workspace import Workspace
from owcl.faces.reposting import reposted
from storage import clusters, memberships
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
            waiting = sum(len(one.cluster.member_ids) for one in clusters.waiting(transaction))
    assert result.promoted == ()
    assert len(after) > len(before) + 40
    assert result.recognised == len(after) - len(before)
    assert result.pool == result.recognised + waiting + result.loose


def test_a_night_in_which_nothing_new_came_in_is_no_error(
    after_update: Path, small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(shutil.copytree(after_update, tmp_path / "workspace"))
    answered = {}
    for verb, *words in (["ingest", str(small_world.arriving)], ["discover"], ["update"]):
        capsys.readouterr()
        assert run([verb, *words, "--workspace", str(root), "--json"]) == 0
        answered[verb] = json.loads(capsys.readouterr().out)
    assert (answered["discover"]["came_in"], answered["discover"]["promoted"]) == (0, [])
    assert answered["update"]["answers"] == "unchanged"


def test_one_picture_that_many_people_post_is_no_new_method(
    small_world: SmallWorld, tmp_path: Path, rng: np.random.Generator
) -> None:
    render(tmp_path / "original", NEW, [120])
    (original,) = (tmp_path / "original").iterdir()
    (tmp_path / "posts").mkdir()
    for number in range(60):
        copy = reposted(np.asarray(Image.open(original)), rng)
        (tmp_path / "posts" / f"{number}.jpg").write_bytes(copy)
    with Workspace.open(small_world.copy(tmp_path)) as workspace:
        ingest(workspace, [str(tmp_path / "posts"), str(small_world.quiet)])
        result = discover(workspace)
        with workspace.store.reading() as transaction:
            waiting = [one.sighting.evidence["different_pictures"] for one in clusters.waiting(transaction)]
    assert result.promoted == ()
    assert waiting
    assert max(waiting) < 10
