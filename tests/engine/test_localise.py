"""From edited faces to a model, a verdict and a picture, end to end on a small tree."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from owcl.cli.main import run
from owcl.cli.train import train
from owcl.config import Configuration, FacesConfiguration, TrainingConfiguration
from owcl.engine.localise import described, ranking_model
from owcl.engine.ranking_model import Located, RankingModel
from owcl.engine.workspace import Workspace
from owcl.learners.local_contrast import Cuts
from owcl.learners.ranking import RECIPES
from owcl.models.backbones import build_backbone
from owcl.models.localiser import Localiser
from owcl.models.randomness import seeded
from scenarios.layouts.seqdeepfake import read
from storage import models
from storage.schema import ModelVersionRow
from tests.conftest import SmallWorld


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sequences") / "edited"
    assert run(["sequences", str(place), "--count", "300", "--size", "32"]) == 0
    return place


@pytest.fixture(scope="module")
def trained(edited: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ranking")
    settings = Configuration(
        faces=FacesConfiguration(image_size=32), training=TrainingConfiguration(ranking_steps=12)
    )
    Workspace.create(root, settings).close()
    assert run(["train", "--task", "ranking", str(edited), "--workspace", str(root)]) == 0
    return root


def test_training_stores_a_model_with_its_figures_on_the_test(trained: Path) -> None:
    with Workspace.open(trained) as workspace:
        with workspace.store.reading() as transaction:
            assert models.answering(transaction) is None
            version = models.answering(transaction, "ranking")
            assert version is not None
            gate = select(ModelVersionRow.gate).where(ModelVersionRow.id == version.id)
            figures = transaction.execute(gate).scalar_one()
        assert ranking_model(workspace) is not None
    assert {"auroc", "component_f1", "exact_short", "heat_iou", "floor_exact"} <= figures.keys()
    assert all(0 <= value <= 1 for value in figures.values())


@pytest.fixture(scope="module")
def faces(edited: Path) -> np.ndarray:
    return np.stack(
        [np.asarray(Image.open(face.path)).transpose(2, 0, 1) for face in read(edited).splits["test"][:8]]
    )


def untrained(cuts: Cuts, temperature: float) -> RankingModel:
    with seeded(4):
        network = Localiser(build_backbone(), 5).eval()
    return RankingModel(network, ("a", "b", "c", "d", "e"), cuts, temperature, 0.3, 0.6)


def test_a_kept_model_is_the_same_again_and_says_the_same(faces: np.ndarray, tmp_path: Path) -> None:
    model = untrained("all", 0.2)
    model.save(tmp_path / "kept.safetensors", "forensic_small")
    again = RankingModel.load(tmp_path / "kept.safetensors")
    assert replace(again, network=model.network) == model
    first, second = model.locate(faces), again.locate(faces)
    for name, values in vars(first).items():
        np.testing.assert_array_equal(values, vars(second)[name])
    assert first.heat.shape == (8, 32, 32)
    assert len(np.unique(first.gaps)) == 8


def test_a_model_is_asked_by_the_statistic_it_was_trained_on(faces: np.ndarray) -> None:
    literal, ours = untrained("all", 0.2).locate(faces), untrained("regions", 0.1).locate(faces)
    assert (literal.gaps >= ours.gaps).all()
    assert (literal.gaps > ours.gaps).any()
    assert literal.probabilities == pytest.approx(np.tanh(literal.gaps / 0.4), abs=1e-6)
    assert ours.probabilities == pytest.approx(np.tanh(ours.gaps / 0.2), abs=1e-6)


def test_a_model_of_an_earlier_version_was_trained_by_the_default_recipe(tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    untrained("all", 0.2).save(path, "forensic_small")
    description = json.loads(path.with_suffix(".json").read_text())
    del description["cuts"], description["temperature"]
    path.with_suffix(".json").write_text(json.dumps(description))
    old = RankingModel.load(path)
    assert (old.cuts, old.temperature) == ("regions", 0.1)


def test_a_model_remembers_the_recipe_that_it_was_trained_by(edited: Path, tmp_path: Path) -> None:
    settings = Configuration(
        faces=FacesConfiguration(image_size=32), training=TrainingConfiguration(ranking_steps=1)
    )
    Workspace.create(tmp_path, settings).close()
    words = ["train", "--task", "ranking", str(edited), "--workspace", str(tmp_path)]
    assert run([*words, "--recipe", "literal"]) == 0
    with Workspace.open(tmp_path) as workspace:
        model = ranking_model(workspace)
    assert model is not None
    assert (model.cuts, model.temperature) == ("all", 0.1)


def test_a_face_whose_mask_cannot_be_read_is_set_aside(
    edited: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree, root = Path(shutil.copytree(edited, tmp_path / "edited")), tmp_path / "lab"
    truncated, empty = (face.mask for face in read(tree).splits["val"][:2])
    truncated.write_bytes(truncated.read_bytes()[:45])
    empty.write_bytes(b"")
    settings = Configuration(
        faces=FacesConfiguration(image_size=32), training=TrainingConfiguration(ranking_steps=1)
    )
    Workspace.create(root, settings).close()
    assert run(["train", "--task", "ranking", str(tree), "--workspace", str(root), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["quarantined"] == 2
    assert result["faces"]["val"] == len(read(tree).splits["val"]) - 2
    assert "heat_iou" in result["test"]


def test_a_recipe_that_there_is_not_is_answered_with_the_list(
    trained: Path, edited: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", str(edited), "--workspace", str(trained), "--recipe"]
    assert run([*words, "printed", "--task", "ranking"]) == 4
    assert ", ".join(RECIPES) in capsys.readouterr().err
    assert run([*words, "literal"]) == 2
    assert "--recipe goes with --task ranking" in capsys.readouterr().err


def test_the_help_names_every_recipe() -> None:
    (option,) = [parameter for parameter in train.params if parameter.name == "recipe"]
    assert isinstance(option, click.Option)
    assert set(RECIPES) <= set(re.findall(r"[\w+]+", option.help or ""))


def test_a_face_is_judged_and_its_heat_map_drawn(
    trained: Path, edited: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    face, picture = read(edited).splits["test"][0].path, tmp_path / "where" / "heat.png"
    words = ["localise", str(face), "--output", str(picture), "--workspace", str(trained)]
    assert run([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["face"]
    assert 0 <= found["probability"] <= 1
    with Image.open(picture) as drawn:
        assert drawn.size == (1024, 512)
    assert run(words) == 0
    assert "probability of being forged" in capsys.readouterr().out


def test_a_genuine_face_has_no_components_and_an_odd_one_may_have_unknown_ones(trained: Path) -> None:
    with Workspace.open(trained) as workspace:
        model = ranking_model(workspace)
    assert model is not None
    rows = np.array([[2, 4, 1, 0, 0], [2, 4, 1, 0, 0], [0, 0, 0, 0, 0]])
    heat = np.ones((3, 4, 4), np.float32)
    sure, not_at_all = np.nextafter(1.0, 2), model.threshold / 2
    said = described(
        model, ["a", "b", "c"], Located(np.zeros(3), np.array([sure, not_at_all, sure]), rows, heat)
    )
    assert said[0].components == ("eye", "lip", "nose")
    assert (said[1].forged, said[1].components, said[1].edited_share) == (False, (), 0.0)
    assert (said[2].forged, said[2].components) == (True, ())


def test_attribute_says_what_was_edited_where_such_a_model_is(
    trained: Path, small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = small_world.copy(tmp_path / "both")
    face = next(small_world.arriving.rglob("*.png"))
    words = ["attribute", str(face), "--workspace", str(root), "--json"]
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out)["faces"][0]["forged"] is None
    assert run([*words, "--heat-maps", str(tmp_path / "maps")]) == 4
    assert "heat maps need a ranking model" in capsys.readouterr().err
    for path in (trained / "models").glob("version-0001.*"):
        shutil.copy(path, root / "models" / f"ranking{path.suffix}")
    with Workspace.open(root) as workspace, workspace.store.transaction() as transaction:
        models.add(transaction, "models/ranking.safetensors", {}, (), {}, task="ranking")
    assert run([*words, "--heat-maps", str(tmp_path / "maps")]) == 0
    assert 0 <= json.loads(capsys.readouterr().out)["faces"][0]["forged"] <= 1
    assert len(list((tmp_path / "maps").glob("*.png"))) == 1


def test_without_a_ranking_model_one_is_told_how_to_make_it(
    small_world: SmallWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = small_world.copy(tmp_path / "plain")
    face = next(small_world.arriving.rglob("*.png"))
    assert run(["localise", str(face), "--workspace", str(root)]) == 4
    assert "owcl train --task ranking" in capsys.readouterr().err
