"""One stream from the first label to the report, on faces that are really rendered, learned and stored."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from owcl.engine import class_view, history, registry
from owcl.engine.attribute import attribute
from owcl.engine.discover import discover
from owcl.engine.evaluate import evaluate
from owcl.engine.ingest import ingest
from owcl.engine.report import report
from owcl.engine.train import train
from owcl.engine.update import update
from owcl.engine.workspace import Workspace
from owcl.errors import BadInput, Conflict
from owcl.faces.reposting import reposted
from owcl.types import UNKNOWN
from scenarios.copies import copies
from storage import attributions, classes, experiences, faces, memberships, models
from tests.conftest import NEW, SmallWorld


@pytest.fixture(scope="module")
def lived(after_update: Path, small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after an arrival and a quiet experience."""
    root = Path(shutil.copytree(after_update, tmp_path_factory.mktemp("lived") / "workspace"))
    with Workspace.open(root) as workspace:
        ingest(workspace, [str(small_world.quiet)])
        discover(workspace)
        update(workspace)
    return root


def test_an_arrival_raises_an_alarm_at_ingest_and_known_faces_none(
    small_world: SmallWorld, tmp_path: Path, rng: np.random.Generator
) -> None:
    # Sorted by method, known faces change too, and only their number speaks against an alarm.
    quiet = rng.permutation(sorted(map(str, small_world.quiet.iterdir()))).tolist()
    for name, inputs in (("arriving", [str(small_world.arriving)]), ("quiet", quiet)):
        with Workspace.open(small_world.copy(tmp_path / name)) as workspace:
            result = ingest(workspace, inputs)
        assert (result.alarm is not None) == (name == "arriving")
        if result.alarm is not None:
            assert result.alarm.unusual > 0.1 * result.alarm.faces
            assert result.alarm.since is not None


def test_known_methods_are_recognised(small_world: SmallWorld) -> None:
    with Workspace.open(small_world.workspace) as workspace:
        figures = evaluate(workspace, small_world.test)
    assert figures["acc_known"] > 0.9


def test_a_new_method_is_found_and_nothing_where_nothing_arrived(lived: Path) -> None:
    with Workspace.open(lived) as workspace, workspace.store.reading() as transaction:
        discovered = [entry for entry in classes.live(transaction) if entry.status == "provisional"]
        members = memberships.members(transaction, discovered[0].id)
        sources = [face.source for face in faces.by_ids(transaction, members)]
        born = classes.details(transaction, discovered[0].id).born
    assert len(discovered) == 1
    assert born == 1
    assert np.mean([NEW in source for source in sources]) > 0.8
    assert len(sources) > 60


def test_known_faces_that_were_posted_again_are_no_new_method(
    small_world: SmallWorld, tmp_path: Path
) -> None:
    known = [path for folder in sorted(small_world.test.iterdir()) for path in sorted(folder.iterdir())]
    known = [path for path in known if path.parent.name != NEW]
    again = copies(known, tmp_path / "copies", reposted, seed=0)
    with Workspace.open(small_world.copy(tmp_path / "world")) as workspace:
        ingest(workspace, [str(path) for path in again.values()])
        result = discover(workspace)
    assert result.promoted == ()
    assert result.waiting == result.drifted


def test_the_new_method_is_attributed_and_the_known_ones_are_not_forgotten(
    lived: Path, small_world: SmallWorld
) -> None:
    with Workspace.open(lived) as workspace:
        found, _ = attribute(workspace, [str(small_world.test / NEW)])
        discovered = [
            line.id for line in class_view.list_classes(workspace.store) if line.status == "provisional"
        ]
        known = evaluate(workspace, small_world.test)["acc_known"]
    assert np.mean([face.class_id in discovered for face in found]) > 0.7
    assert known > 0.88


def test_first_sight_stays_in_the_history(lived: Path) -> None:
    with Workspace.open(lived) as workspace, workspace.store.reading() as transaction:
        first = attributions.first_sight(transaction, 1)
        now = attributions.current(transaction, 1)
        answering = models.answering(transaction)
    assert answering is not None
    assert first.model_version != now.model_version == answering.id


def test_every_experience_comes_to_its_end(lived: Path) -> None:
    with Workspace.open(lived) as workspace, workspace.store.reading() as transaction:
        states = [status.state for status in experiences.everything(transaction)]
    assert states == ["updated"] * 3


def test_an_operator_s_merge_is_followed_at_once_and_undone_exactly(
    lived: Path, small_world: SmallWorld, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(lived, tmp_path / "workspace"))
    with Workspace.open(root) as workspace:
        (discovered,) = (
            line for line in class_view.list_classes(workspace.store) if line.status == "provisional"
        )
        before, _ = attribute(workspace, [str(small_world.test / NEW)])
        registry.name(workspace.store, str(discovered.id), "twin", "anna")
        (real,) = (line for line in class_view.list_classes(workspace.store) if line.name == "real")
        registry.merge(workspace.store, "twin", str(real.id), "anna")
        merged, _ = attribute(workspace, [str(small_world.test / NEW)])
        assert discovered.id not in {face.class_id for face in merged}
        history.undo(workspace.store, "anna")
        after, _ = attribute(workspace, [str(small_world.test / NEW)])
    assert [face.class_id for face in after] == [face.class_id for face in before]


def test_ingesting_again_changes_nothing(lived: Path, small_world: SmallWorld) -> None:
    with Workspace.open(lived) as workspace:
        again = ingest(workspace, [str(small_world.arriving)])
        with workspace.store.reading() as transaction:
            total = faces.count(transaction)
    assert (again.new, again.already) == (0, 129)
    assert total == 3 * 80 + 129 + 60


def test_the_report_is_one_file_that_refers_to_nothing(lived: Path, tmp_path: Path) -> None:
    with Workspace.open(lived) as workspace:
        page = report(workspace, tmp_path / "report.html").read_text(encoding="utf-8")
        listed = {line.name: line.faces for line in class_view.list_classes(workspace.store)}
    rows = re.findall(r"<tr><td>\d+</td><td>([^<]*)<.*?</span></td><td>(\d+)</td>", page)
    assert {name: int(count) for name, count in rows} == listed
    assert "new-4" in listed
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert page.count("<svg") >= 3
    assert (tmp_path / "metrics.csv").exists()


def test_a_workspace_learns_its_labels_once(small_world: SmallWorld) -> None:
    with Workspace.open(small_world.workspace) as workspace, pytest.raises(Conflict, match="learned already"):
        train(workspace, small_world.test)


def test_steps_out_of_order_say_what_comes_first(small_world: SmallWorld, tmp_path: Path) -> None:
    with Workspace.open(small_world.copy(tmp_path)) as workspace:
        with pytest.raises(BadInput, match="no faces to look through"):
            discover(workspace)
        with pytest.raises(BadInput, match="no discovery to learn from"):
            update(workspace)


def test_an_untrained_workspace_asks_for_labels(tmp_path: Path, small_world: SmallWorld) -> None:
    with Workspace.create(tmp_path / "new") as workspace, pytest.raises(BadInput, match="owcl train FOLDER"):
        ingest(workspace, [str(small_world.quiet)])


def test_checkpoints_are_safetensors_and_json(small_world: SmallWorld) -> None:
    kinds = {path.suffix for path in (small_world.workspace / "models").iterdir()}
    assert kinds == {".safetensors", ".json"}
    description = json.loads(next((small_world.workspace / "models").glob("*.json")).read_text())
    assert description["backbone"] == "forensic_small"


def test_damaged_files_among_good_ones_are_quarantined_with_the_reason(
    small_world: SmallWorld, tmp_path: Path
) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    good = sorted(small_world.quiet.iterdir())[:3]
    for path in good:
        (mixed / path.name).write_bytes(path.read_bytes())
    (mixed / "empty.png").write_bytes(b"")
    with Workspace.open(small_world.copy(tmp_path)) as workspace:
        result = ingest(workspace, [str(mixed)])
        attributed, bad = attribute(workspace, [str(mixed)])
    assert (result.new, result.quarantined) == (3, 1)
    assert [row.reason for row in result.refused] == ["the file is empty"]
    assert len(attributed) == 3
    assert [row.reason for row in bad] == ["the file is empty"]
    assert all(face.class_id == UNKNOWN or face.name for face in attributed)
