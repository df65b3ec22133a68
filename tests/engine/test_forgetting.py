"""What each model version still knew of the classes that live today, on really rendered and learned faces."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from owcl.cli.main import run
from owcl.engine import registry
from owcl.engine.forgetting import ForgettingResult, forgetting
from owcl.engine.workspace import Workspace
from owcl.errors import BadInput


@pytest.fixture(scope="module")
def found(after_update: Path) -> ForgettingResult:
    with Workspace.open(after_update) as workspace:
        return forgetting(workspace)


def test_every_version_is_asked_about_every_live_class(found: ForgettingResult) -> None:
    assert found.versions == (1, 2)
    names = [one.entry.name for one in found.classes]
    assert names == ["nearest_neighbour", "real", "sub_pixel", "new-4"]
    assert all(one.faces > 0 for one in found.classes)


def test_a_class_is_forgotten_by_as_much_as_fewer_of_its_faces_are_recognised(
    found: ForgettingResult,
) -> None:
    known = found.classes[:3]
    for one in known:
        assert one.accuracies[0] > 0.6
        assert one.forgotten == pytest.approx(one.accuracies[0] - one.accuracies[1])
    assert found.mean == pytest.approx(np.mean([one.forgotten for one in known]))


def test_of_a_class_that_the_last_version_was_the_first_to_know_nothing_can_be_forgotten(
    found: ForgettingResult,
) -> None:
    newest = found.classes[3]
    assert np.isnan(newest.accuracies[0])
    assert newest.accuracies[1] > 0.5
    assert np.isnan(newest.forgotten)


def test_what_was_merged_since_counts_for_every_version(
    after_update: Path, found: ForgettingResult, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(after_update, tmp_path / "workspace"))
    with Workspace.open(copied) as workspace:
        registry.merge(workspace.store, "sub_pixel", "nearest_neighbour", "anna")
        merged = forgetting(workspace)
    assert [one.entry.name for one in merged.classes] == ["nearest_neighbour", "real", "new-4"]
    assert merged.classes[0].faces == found.classes[0].faces + found.classes[2].faces
    assert merged.classes[0].accuracies[0] > 0.6


def test_a_workspace_without_a_model_is_told_how_to_get_one(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "empty") as workspace, pytest.raises(BadInput, match="owcl train"):
        forgetting(workspace)


def test_the_command_shows_percentages_draws_and_speaks_json(
    after_update: Path, found: ForgettingResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = tmp_path / "forgetting.svg"
    assert run(["forgetting", "-w", str(after_update), "--output", str(drawn)]) == 0
    shown = capsys.readouterr().out
    assert f"{100 * found.classes[0].accuracies[1]:.1f}" in shown
    assert "version 2" in drawn.read_text(encoding="utf-8")
    assert run(["forgetting", "-w", str(after_update), "--json"]) == 0
    spoken = json.loads(capsys.readouterr().out)
    assert spoken["classes"][3]["accuracies"][0] is None
    assert spoken["mean"] == pytest.approx(found.mean)
