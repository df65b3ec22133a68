"""A whole scenario with its baselines, in a workspace whose settings make it short."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from owcl.config import Configuration, TrainingConfiguration
from owcl.engine.asked import Asked, Scenario
from owcl.engine.report import report
from owcl.engine.simulate import simulate
from owcl.engine.workspace import Workspace
from owcl.errors import BadInput, Conflict, NotFound
from owcl.evaluation.table import COLUMNS
from tests.conftest import NEW, SmallWorld

ROWS = (
    "frozen_kmeans",
    "cpl_official",
    "supervised_bound",
    "cpl",
    "supervised",
    "freeze_and_cluster",
    "owgan_loop",
    "selfadapt_loop",
)
PLAN = f"""
name = "small"
image_size = 48
test_fraction = 0.2
seed = 0
known = ["real", "sub_pixel", "nearest_neighbour"]
labelled_fraction = 0.7
[[experience]]
novel = ["{NEW}"]
novel_per_class = 80
seen_per_class = 12
[[experience]]
novel = []
seen_per_class = 8
"""


@pytest.fixture(scope="module")
def result(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("simulated")
    tree = root / "tree"
    for method in ("real", "sub_pixel", "nearest_neighbour", NEW):
        (tree / method).mkdir(parents=True)
        for path in small_world.workspace.parent.rglob(f"{method}-*.png"):
            (tree / method / path.name).write_bytes(path.read_bytes())
    (tree / "stream.toml").write_text(PLAN)
    with Workspace.open(small_world.workspace) as trained:
        settings: Configuration = trained.configuration
    Workspace.create(root / "home", settings).close()
    stopped = simulate(Asked("folder", tree, until=1), root / "home")
    found = simulate(Asked("folder", tree, rows=ROWS), root / "home")
    return {**found, "tree": tree, "home": root / "home", "stopped": stopped}


def test_every_method_has_every_column_once_a_seed(result: dict[str, Any]) -> None:
    assert list(result["methods"]) == ["owcl", *ROWS]
    for columns in result["methods"].values():
        assert set(columns) == set(COLUMNS)
        assert all(len(values) == 1 for values in columns.values())


def test_a_workspace_of_other_faces_is_refused(result: dict[str, Any], tmp_path: Path) -> None:
    moved = Path(shutil.copytree(result["tree"], tmp_path / "moved"))
    with pytest.raises(Conflict, match="the workspace holds this face, and the scenario does not"):
        simulate(Asked("folder", moved), result["home"])


def test_the_new_method_is_counted_and_nothing_in_the_quiet_experience(result: dict[str, Any]) -> None:
    counts = [row["count"]["value"] for row in result["per_experience"] if row["experience"]]
    assert counts == [1, 0]
    assert result["methods"]["owcl"]["count_mae"] == [0.0]


def test_the_discovery_is_whole_and_at_once(result: dict[str, Any]) -> None:
    owcl = result["methods"]["owcl"]
    assert owcl["false_new"] == owcl["swaps"] == [0.0]
    assert owcl["discovery_f1"] == [100.0]
    assert owcl["latency_faces"] == [80.0]
    assert owcl["persistence"] == [100.0]


def test_what_is_easy_is_attributed(result: dict[str, Any]) -> None:
    owcl = result["methods"]["owcl"]
    assert owcl["acc_all_joint"][0] > 80
    assert owcl["id_acc_novel"][0] > 60
    assert owcl["acc_known"][0] > 80


def test_at_first_sight_known_faces_are_recognised_and_new_ones_stand_out(result: dict[str, Any]) -> None:
    first, arriving, quiet = result["per_experience"]
    assert "first_sight" not in first
    assert arriving["first_sight"]["acc_known"] > 80
    assert arriving["first_sight"]["acc_novel_joint"] is None
    assert arriving["first_sight"]["auroc"] > 0.7
    # Nobody knew the arriving method yet; in the next experience it has a class.
    assert quiet["first_sight"]["acc_novel_own"] > 60


def test_baselines_keep_no_ids(result: dict[str, Any]) -> None:
    assert result["methods"]["frozen_kmeans"]["id_acc_all"] == [None]


# What they find in so few faces differs from processor to processor; their estimators are tested on pools.
@pytest.mark.parametrize("name", ["freeze_and_cluster", "selfadapt_loop"])
def test_systems_that_count_keep_what_is_known(result: dict[str, Any], name: str) -> None:
    assert result["methods"][name]["acc_known"][0] > 60


def test_run_again_it_takes_the_same_figures_from_the_store(result: dict[str, Any]) -> None:
    again = simulate(Asked("folder", result["tree"], rows=ROWS), result["home"])
    assert again["per_experience"] == result["per_experience"]
    assert again["methods"] == result["methods"]


def test_stopped_after_an_experience_it_goes_on_from_there(result: dict[str, Any]) -> None:
    stopped = result["stopped"]["per_experience"]
    assert [row["experience"] for row in stopped] == [0, 1]
    assert result["per_experience"][:2] == stopped
    assert len(result["per_experience"]) == 3


def test_rows_are_not_compared_in_the_middle_of_a_stream(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="at the end of the stream"):
        simulate(Asked("folder", tmp_path, rows=ROWS, until=1), tmp_path / "home")


def test_quick_is_half_of_every_step_of_a_stream() -> None:
    full, half = TrainingConfiguration(), TrainingConfiguration().halved()
    assert (half.first_steps, half.arrival_steps, half.update_steps, half.refine_steps) == (225, 45, 75, 20)
    assert half.ranking_steps == full.ranking_steps


def test_replay_and_distillation_keep_what_was_known(result: dict[str, Any]) -> None:
    for learner in ("cpl", "supervised"):
        assert result["methods"][learner]["acc_known"][0] > 80


def test_learners_that_are_told_the_truth_learn_what_is_new(result: dict[str, Any]) -> None:
    assert result["methods"]["supervised"]["acc_novel_joint"][0] > 60


def test_every_learner_goes_on_from_the_same_weights_in_a_workspace_of_its_own(
    result: dict[str, Any], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with Workspace.open(result["home"]) as lived:
        Workspace.create(home, lived.configuration).close()
    asked = Asked("folder", result["tree"], other_learners=("mpsl",))
    found = simulate(asked, home)
    assert list(found["methods"]) == ["owcl", "owcl with mpsl"]
    first, learned = (
        [(place / "models" / name).read_bytes() for place in (home, home / "learners" / "mpsl")]
        for name in ("version-0001.safetensors", "version-0002.safetensors")
    )
    assert first[0] == first[1]
    assert learned[0] != learned[1]
    for columns in found["methods"].values():
        assert columns["count_mae"] == [0.0]
    again = simulate(asked, home)
    assert again["methods"] == found["methods"]
    with pytest.raises(Conflict, match="experience 2 has begun without cal"):
        simulate(Asked("folder", result["tree"], other_learners=("cal",)), home)


def test_a_learner_that_there_is_not_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"learner 'magic': there is none of that name. Choose one of cpl"):
        simulate(Asked("folder", tmp_path, learner="magic"), tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_the_report_shows_the_table_and_the_truth(result: dict[str, Any], tmp_path: Path) -> None:
    with Workspace.open(result["home"]) as workspace:
        page = report(workspace, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "supervised_bound" in page
    for heading in ("Accuracy over time", "Forgetting", "Confusion", "Counting", "Arrivals", "Map"):
        assert f"<h2>{heading}</h2>" in page
    assert re.search(
        r">\s*true\s*</text>", (tmp_path / "figures" / "counting.svg").read_text(encoding="utf-8")
    )


def test_a_workspace_of_another_seed_is_left_alone(result: dict[str, Any], tmp_path: Path) -> None:
    Workspace.create(tmp_path / "other", Configuration(seed=5)).close()
    with pytest.raises(Conflict, match="a workspace of seed 5 and learner cpl, not of 0"):
        simulate(Asked("folder", result["tree"]), tmp_path / "other")


def test_forge_asks_for_photographs(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no photographs"):
        simulate(Asked("forge"), tmp_path)


def test_forgetting_is_taken_from_the_cohorts_of_the_stream(result: dict[str, Any]) -> None:
    (first, second, last) = (row["cohorts"] for row in result["per_experience"])
    fell = (max(first[0], second[0]) - last[0], second[1] - last[1])
    owcl = result["methods"]["owcl"]
    assert owcl["forgetting"] == [pytest.approx(100 * sum(fell) / 2)]
    back = (last[0] - first[0], last[1] - second[1])
    assert owcl["backward_transfer"] == [pytest.approx(100 * sum(back) / 2)]


def test_what_is_said_of_lasting_ids_is_not_defined_for_peers_without_them(result: dict[str, Any]) -> None:
    for row in ROWS:
        for column in ("forget_seen", "forgetting", "backward_transfer", "discovery_mean"):
            assert result["methods"][row][column] == [None]
        assert result["methods"][row]["forget_labelled"] != [None]


@pytest.mark.parametrize(
    ("scenario", "way"),
    [
        ("folder", "folder DIR"),
        ("benchmark", "--root DIR"),
        ("df40", "df40 DIR"),
        ("seqdeepfake", "seqdeepfake DIR"),
    ],
)
def test_a_scenario_without_its_tree_says_how_to_name_one(
    scenario: Scenario, way: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=f"^simulate {scenario}: no folder.*{way}"):
        simulate(Asked(scenario), tmp_path)


def test_a_method_of_which_the_stream_leaves_too_few_faces_is_said_to_be_so(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    for method in ("real", "sub_pixel", "nearest_neighbour", NEW):
        (tmp_path / "tree" / method).mkdir(parents=True)
        for number in range(26):
            face = Image.fromarray(rng.integers(0, 256, (48, 48, 3), np.uint8))
            face.save(tmp_path / "tree" / method / f"{number}.png")
    with pytest.raises(BadInput, match=r"\d+ faces are left to learn from, after others were set aside"):
        simulate(Asked("folder", tmp_path / "tree"), tmp_path / "home")


@pytest.mark.parametrize("size", [16, 1024])
def test_a_size_of_faces_that_no_workspace_takes_is_refused(tmp_path: Path, size: int) -> None:
    for method in ("real", "gan"):
        (tmp_path / "tree" / method).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (8, 8), (number, len(method), 0)).save(
                tmp_path / "tree" / method / f"{number}.png"
            )
    plan = f'name = "mine"\nimage_size = {size}\nknown = ["real", "gan"]'
    (tmp_path / "tree" / "stream.toml").write_text(plan)
    with pytest.raises(BadInput, match=f"mine: image_size is {size}. Input should be .*Correct it"):
        simulate(Asked("folder", tmp_path / "tree"), tmp_path / "home")
