"""What owcl would merge and split, on faces that are really rendered and learned."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from owcl.cli.main import run
from owcl.engine import class_view, registry
from owcl.engine.proposals import last_without, proposals, proposed_part
from owcl.engine.update import update
from owcl.engine.workspace import Workspace
from owcl.errors import NotFound
from owcl.types import Cluster, ModelVersion
from storage import classes, clusters, memberships


@pytest.fixture
def copied(after_update: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(after_update, tmp_path / "workspace"))


def found_class(workspace: Workspace) -> int:
    (line,) = (line for line in class_view.list_classes(workspace.store) if line.status == "provisional")
    return line.id


def members(workspace: Workspace, class_id: int) -> list[int]:
    with workspace.store.reading() as transaction:
        return memberships.members(transaction, class_id).tolist()


def test_classes_that_are_one_method_each_are_left_alone(after_update: Path) -> None:
    with Workspace.open(after_update) as workspace:
        assert proposals(workspace) == []
        with pytest.raises(NotFound, match="no split is proposed"):
            proposed_part(workspace, str(found_class(workspace)))


def test_a_class_that_an_operator_filled_with_two_methods_is_proposed_to_be_split(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Workspace.open(copied) as workspace:
        mixed = found_class(workspace)
        with workspace.store.transaction() as transaction:
            strange = next(entry for entry in classes.live(transaction) if entry.name == "nearest_neighbour")
            moved = memberships.members(transaction, strange.id)[:40]
            memberships.assign(transaction, moved, mixed, memberships.Grounds("operator"))
    assert run(["classes", "proposals", "--workspace", str(copied), "--json"]) == 0
    (proposal,) = json.loads(capsys.readouterr().out)["proposals"]
    assert (proposal["verb"], proposal["classes"][0]["id"]) == ("split", mixed)
    assert len(set(proposal["face_ids"]) & set(moved.tolist())) > 0.9 * len(moved)
    assert proposal["evidence"]["auc_to_the_rest"] > 0.95

    assert run(["classes", "split", str(mixed), "--proposed", "--workspace", str(copied), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)["id"]
    with Workspace.open(copied) as workspace:
        assert members(workspace, made) == sorted(proposal["face_ids"])


def test_a_cluster_that_waits_is_proposed_for_adoption(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Workspace.open(copied) as workspace:
        class_id = found_class(workspace)
        loose = members(workspace, class_id)[:25]
        with workspace.store.transaction() as transaction:
            memberships.end(transaction, loose)
            evidence = {"reasons": ["came back in 50% of resamples, 60% are needed"]}
            cluster = Cluster(np.array(loose), np.zeros(2, np.float32), 0.5)
            waits = clusters.add(transaction, cluster, clusters.Sighting(1, 1, evidence))
    assert run(["classes", "proposals", "--workspace", str(copied)]) == 0
    said = capsys.readouterr().out
    assert f"owcl classes adopt {waits}\n" in said
    assert "came back in 50% of resamples" in said
    assert run(["classes", "adopt", str(waits), "--name", "Prism", "--workspace", str(copied), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["name"], made["status"]) == ("Prism", "named")
    with Workspace.open(copied) as workspace:
        assert members(workspace, made["id"]) == loose
    assert run(["classes", "adopt", str(waits), "--workspace", str(copied)]) != 0


def test_halves_of_one_method_are_proposed_to_be_merged(copied: Path) -> None:
    with Workspace.open(copied) as workspace:
        whole = found_class(workspace)
        half = registry.split(workspace.store, str(whole), members(workspace, whole)[::2], "anna")
        update(workspace)
        (proposal,) = proposals(workspace)
    assert (proposal.verb, [entry.id for entry in proposal.classes]) == ("merge", [half.id, whole])
    assert proposal.evidence["auc"] <= 0.65


def test_a_network_that_began_with_one_which_had_learned_a_class_is_not_asked_about_it() -> None:
    learned = [(1, 2), (1, 2, 7), (1, 2), (1, 2, 7)]
    versions = [ModelVersion(number, None, "", {}, ids) for number, ids in enumerate(learned, start=1)]
    assert last_without(versions, 7).id == 1
    assert last_without(versions, 8).id == 4


def test_a_split_needs_faces_or_a_proposal_and_not_both(
    after_update: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ([], ["1", "--proposed"]):
        assert run(["classes", "split", "4", *words, "--workspace", str(after_update)]) == 2
        assert "either FACES or --proposed" in capsys.readouterr().err
