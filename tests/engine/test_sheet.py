"""A class as one picture."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from owcl.cli.main import run
from owcl.engine.ingest import ingest
from owcl.engine.sheet import ACROSS, CAPTION, HEADING, PAPER, SIDE, _strips, draw_sheet
from owcl.engine.workspace import Workspace
from storage import classes, experiences, faces, memberships
from tests.conftest import SmallWorld, render


def test_the_strips_share_no_face_and_show_the_extremes(rng: np.random.Generator) -> None:
    probabilities = rng.permutation(np.linspace(0, 1, 50))
    surest, unsure, random = (strip.rows for strip in _strips(probabilities, np.ones(50), rng))
    assert probabilities[surest].min() > probabilities[random].max()
    assert probabilities[unsure].max() < probabilities[random].min()
    assert len({*surest.tolist(), *unsure.tolist(), *random.tolist()}) == 3 * ACROSS


def test_of_faces_that_are_equally_probable_the_usual_ones_are_the_surest(rng: np.random.Generator) -> None:
    p_values = rng.permutation(np.linspace(0.01, 1, 50))
    surest, unsure, random = (strip.rows for strip in _strips(np.ones(50), p_values, rng))
    assert p_values[surest].min() > p_values[random].max()
    assert p_values[unsure].max() < p_values[random].min()


def test_a_small_class_has_fewer_strips(rng: np.random.Generator) -> None:
    assert [strip.reason for strip in _strips(np.array([0.2, 0.9]), np.ones(2), rng)] == ["surest"]
    assert [len(strip.rows) for strip in _strips(np.linspace(0, 1, 13), np.ones(13), rng)] == [10, 3]


def test_a_sheet_is_drawn_of_the_faces_of_a_class(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, picture = small_world.copy(tmp_path / "world"), tmp_path / "sheets" / "real.png"
    with Workspace.open(root) as workspace:
        ingest(workspace, [str(small_world.quiet)])
    words = ["classes", "sheet", "real", "--output", str(picture), "--workspace", str(root), "--json"]
    assert run(words) == 0
    count = json.loads(capsys.readouterr().out)["faces"]
    drawn = np.asarray(Image.open(picture))
    strips = -(-min(count, 3 * ACROSS) // ACROSS)
    assert drawn.shape[1] == ACROSS * SIDE
    assert drawn.shape[0] <= HEADING + strips * (HEADING + SIDE + CAPTION)
    assert (drawn[2 * HEADING : 2 * HEADING + 20, :20] != PAPER).any()


def test_faces_that_the_model_never_judged_are_drawn_too(tmp_path: Path) -> None:
    render(tmp_path / "real", "real", range(3))
    sources = sorted(map(str, (tmp_path / "real").iterdir()))
    with Workspace.create(tmp_path / "cases") as workspace:
        with workspace.store.transaction() as transaction:
            experiences.begin(transaction, 0, labelled=True)
            shas = [hashlib.sha256(Path(source).read_bytes()).hexdigest() for source in sources]
            rows = [faces.NewFace(s, p, (48, 48), 0) for s, p in zip(shas, sources, strict=True)]
            real = classes.create(transaction, "real", "known")
            labelled = faces.add_many(transaction, rows)
            memberships.assign(transaction, labelled, real, memberships.Grounds("label"))
        assert draw_sheet(workspace, "real", tmp_path / "real.png") == (tmp_path / "real.png", 3)
    with Image.open(tmp_path / "real.png") as drawn:
        assert drawn.height == 2 * HEADING + SIDE + CAPTION
