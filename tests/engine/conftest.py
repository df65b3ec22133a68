"""What verbs on classes are tried on: a registry without images, and the small world after an arrival."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import classes, experiences, faces, memberships
from storage.store import Store
from tests.conftest import NEW, SmallWorld

NUMBER = 4
"""Of the class of the new method in the small world."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Class 1 `real` with faces 1 to 4, provisional classes 2 and 3 with faces 5 to 8 and 9 to 12."""
    with Store.open(tmp_path / "owcl.db") as opened:
        with opened.transaction() as transaction:
            experiences.begin(transaction, 0, labelled=True)
            experiences.begin(transaction, 1)
            faces.add_many(
                transaction,
                [faces.NewFace(f"{n:064x}", f"{n}.png", (64, 64), int(n > 4)) for n in range(1, 14)],
            )
            real = classes.create(transaction, "real", "known")
            memberships.assign(transaction, range(1, 5), real, memberships.Grounds("label"))
            for start in (5, 9):
                birth = classes.Birth(1, {"nearest_class": real, "stability": 0.9})
                new = classes.create(transaction, birth=birth)
                memberships.assign(
                    transaction, range(start, start + 4), new, memberships.Grounds("promotion")
                )
        yield opened


@pytest.fixture(scope="session")
def promoted(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a class of the new method that was not learned yet, and updates of one step."""
    from owcl.config import FILE_NAME
    from owcl.engine.ingest import ingest
    from owcl.engine.workspace import Workspace

    root = small_world.copy(tmp_path_factory.mktemp("promoted"))
    with Workspace.open(root) as workspace:
        settings = workspace.configuration
        steps = settings.training.model_copy(update={"update_steps": 1, "refine_steps": 0})
        settings.model_copy(update={"training": steps}).write(root / FILE_NAME)
        ingest(workspace, [str(small_world.arriving)])
        with workspace.store.transaction() as transaction:
            arrived = faces.by_ids(transaction, faces.in_experience(transaction, 1))
            found = [face.id for face in arrived if NEW in face.source]
            assert classes.create(transaction, birth=classes.Birth(1)) == NUMBER
            memberships.assign(transaction, found, NUMBER, memberships.Grounds("promotion"))
            experiences.set_state(transaction, 1, "discovered")
    return root


@pytest.fixture(scope="session")
def after_discovery(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the new method arrived and was discovered; what changes it works on a copy."""
    from owcl.engine.discover import discover
    from owcl.engine.ingest import ingest
    from owcl.engine.workspace import Workspace

    root = small_world.copy(tmp_path_factory.mktemp("after-discovery"))
    with Workspace.open(root) as workspace:
        ingest(workspace, [str(small_world.arriving)])
        discover(workspace)
    return root


@pytest.fixture(scope="session")
def after_update(after_discovery: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same when the new method was learned; what changes it works on a copy."""
    from owcl.engine.update import update
    from owcl.engine.workspace import Workspace

    root = Path(shutil.copytree(after_discovery, tmp_path_factory.mktemp("after-update") / "workspace"))
    with Workspace.open(root) as workspace:
        update(workspace)
    return root


def members(store: Store) -> dict[int, list[int]]:
    with store.reading() as transaction:
        return {
            entry.id: memberships.members(transaction, entry.id).tolist()
            for entry in classes.everything(transaction)
        }


def registered(store: Store) -> list[object]:
    with store.reading() as transaction:
        return list(classes.everything(transaction))
