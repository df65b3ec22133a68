"""With `detect = true`, what is learned and what is judged are the same parts of pictures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from owcl.config import Configuration, FacesConfiguration, TrainingConfiguration
from owcl.engine.ingest import ingest
from owcl.engine.localise import localise
from owcl.engine.train import train
from owcl.engine.train_ranking import train_ranking
from owcl.engine.workspace import Workspace
from owcl.faces.load import LoadedFace, load, stacked
from scenarios.layouts.seqdeepfake import read
from scenarios.sequences.build import build
from storage import faces

SIZE = 32


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    settings = Configuration(
        faces=FacesConfiguration(image_size=SIZE, detect=True),
        training=TrainingConfiguration(first_steps=2, pretext_faces=0, ranking_steps=2),
    )
    with Workspace.create(tmp_path / "workspace", settings) as opened:
        yield opened


def put_into_pictures(portraits: list[Path], folder: Path, blur: float = 0) -> None:
    """Write each portrait into a corner of a grey picture."""
    folder.mkdir(parents=True)
    for path in portraits:
        picture = Image.new("RGB", (320, 240), "grey")
        with Image.open(path) as face:
            picture.paste(face.filter(ImageFilter.GaussianBlur(blur)), (128, 48))
        picture.save(folder / f"{path.stem}.png")


def crops(workspace: Workspace) -> set[Path]:
    return set((workspace.root / "cache" / "crops").rglob("*.png"))


def test_faces_are_found_for_training_and_for_what_comes_in(
    workspace: Workspace, portraits: Path, tmp_path: Path
) -> None:
    photographs = sorted(portraits.glob("*.jpg"))
    put_into_pictures(photographs[:25], tmp_path / "known" / "real")
    put_into_pictures(photographs[25:50], tmp_path / "known" / "blurred", blur=2)
    put_into_pictures(photographs[50:60], tmp_path / "arriving")
    train(workspace, tmp_path / "known")
    assert len(crops(workspace)) == 50
    came_in = ingest(workspace, [str(tmp_path / "arriving")])
    assert len(crops(workspace)) == 60
    assert came_in.new == 10
    assert came_in.without_face < 5
    with workspace.store.reading() as transaction:
        stored = faces.by_ids(transaction, np.arange(1, 61))
    _, again = workspace.pixels(np.arange(1, 61))
    whole = [load(face.source, SIZE, workspace.limits()) for face in stored]
    pictures = stacked([face for face in whole if isinstance(face, LoadedFace)], SIZE)
    assert ((again != pictures).mean(axis=(1, 2, 3)) > 0.5).sum() > 45


def test_a_ranking_model_learns_from_the_crops_that_it_will_judge(
    workspace: Workspace, portraits: Path, tmp_path: Path
) -> None:
    (tmp_path / "few").mkdir()
    for path in sorted(portraits.glob("*.jpg"))[:30]:
        shutil.copy(path, tmp_path / "few")
    tree = build(tmp_path / "edited", tmp_path / "few", count=100, size=96)
    result = train_ranking(workspace, tree)
    assert result.faces == {"train": 70, "val": 10, "test": 20}
    assert 0 < result.test["heat_iou"] < 1
    learned_from = crops(workspace)
    assert len(learned_from) == 100
    judged = [str(face.path) for face in read(tree).splits["test"]]
    assert any(isinstance(face, LoadedFace) and face.face_found for face in workspace.loaded(judged))
    localise(workspace, judged[0])
    assert crops(workspace) == learned_from
