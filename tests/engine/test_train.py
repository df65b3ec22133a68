"""What the first training makes of a tree of labelled faces."""

from __future__ import annotations

import logging
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from owcl.config import Configuration, FacesConfiguration, TrainingConfiguration
from owcl.engine import evaluate, memory, registry
from owcl.engine.train import train
from owcl.engine.workspace import Workspace
from owcl.errors import BadInput
from owcl.types import UNKNOWN
from storage import classes, faces
from tests.conftest import render


@pytest.fixture
def untrained(tmp_path: Path) -> Workspace:
    """A workspace that learns in one step."""
    settings = Configuration(
        faces=FacesConfiguration(image_size=48),
        training=TrainingConfiguration(first_steps=1, pretext_faces=0),
    )
    return Workspace.create(tmp_path / "workspace", settings)


def test_a_single_method_is_refused(untrained: Workspace, tmp_path: Path) -> None:
    render(tmp_path / "known" / "stylegan", "sub_pixel", range(20))
    with untrained as workspace, pytest.raises(BadInput, match="stylegan: the only method"):
        train(workspace, tmp_path / "known")


def test_few_known_faces_still_tell_the_unknown_and_at_which_rate_is_said(
    untrained: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for method in ("real", "sub_pixel"):
        render(tmp_path / "known" / method, method, range(20))
    with untrained as workspace, caplog.at_level(logging.WARNING):
        result = train(workspace, tmp_path / "known")
        strange = np.random.default_rng(0).integers(0, 256, (1, 3, 48, 48), np.uint8)
        answer = workspace.answer()
        judged = answer.attribute(answer.embed(np.zeros(1, np.int64), strange))
    assert result.false_alarm_rate == 1 / 15
    assert "14 known faces were held out, too few to keep false alarms at 1.0%" in caplog.text
    assert "1 in 15 known faces is. With 99 held out it would be as asked" in caplog.text
    assert judged.p_values.tolist() == [1 / 15]
    assert judged.class_ids.tolist() == [UNKNOWN]


def test_no_video_is_both_learned_and_held_out(untrained: Workspace, tmp_path: Path) -> None:
    for method in ("real", "sub_pixel"):
        for video in range(8):
            frames = range(100 * video, 100 * video + 6)
            render(tmp_path / "known" / method / f"video-{video}", method, frames)
    with untrained as workspace:
        result = train(workspace, tmp_path / "known")
        with workspace.store.reading() as transaction:
            held_out, _ = memory.held_out_faces(transaction)
            remembered = memory.recall(transaction).face_ids
            apart, learned = (
                {Path(face.source).parent for face in faces.by_ids(transaction, face_ids)}
                for face_ids in (held_out, remembered)
            )
    assert result.faces == 96
    assert len(np.union1d(held_out, remembered)) == 96
    assert not apart & learned
    assert {folder.parent.name for folder in apart} == {"real", "sub_pixel"}


def _interrupted(workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("owcl.engine.train._trained", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(workspace, folder)


def test_a_method_that_an_interrupted_training_took_in_is_not_left_behind_unlearned(
    untrained: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for method, first in (("real", 0), ("sub_pixel", 20), ("other", 40)):
        render(tmp_path / "known" / method, "real", range(first, first + 20))
    with untrained as workspace:
        _interrupted(workspace, tmp_path / "known", monkeypatch)
        shutil.rmtree(tmp_path / "known" / "other")
        with pytest.raises(BadInput, match=r"other: a method of a training .* `owcl classes reject 1`"):
            train(workspace, tmp_path / "known")
        registry.reject(workspace.store, "other", "anna")
        assert train(workspace, tmp_path / "known").classes == {"real": 20, "sub_pixel": 20}


def test_a_method_is_its_class_however_a_system_writes_its_letters(
    untrained: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for method in ("real", "sub_pixel"):
        render(tmp_path / "known" / method, method, range(20))
    (tmp_path / "known" / "sub_pixel").rename(tmp_path / "known" / unicodedata.normalize("NFD", "Café"))
    with untrained as workspace:
        _interrupted(workspace, tmp_path / "known", monkeypatch)
        assert train(workspace, tmp_path / "known").faces == 40
        with workspace.store.reading() as transaction:
            assert [entry.name for entry in classes.everything(transaction)] == ["Café", "real"]
        monkeypatch.setattr(evaluate, "figures", lambda truth, judged, roles, registry: roles.known)
        assert evaluate.evaluate(workspace, tmp_path / "known") == {0, 1}
