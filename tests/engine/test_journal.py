"""The journal of runs: each step with its configuration, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from owcl.config import Configuration
from owcl.engine.journal import journalled
from owcl.engine.workspace import Workspace
from owcl.errors import BadInput
from storage import experiences, runs
from storage.schema import RunRow


@dataclass(frozen=True)
class Outcome:
    experience: int
    share: np.float64


@journalled("weigh")
def weigh(workspace: Workspace, fails_with: BaseException | None = None) -> Outcome:
    if fails_with is not None:
        raise fails_with
    return Outcome(0, np.float64(0.25))


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path, Configuration(seed=7)) as opened:
        with opened.store.transaction() as transaction:
            experiences.begin(transaction, 0, labelled=True)
        yield opened


def recorded(workspace: Workspace) -> list[runs.Run]:
    with workspace.store.reading() as transaction:
        ids = transaction.execute(select(RunRow.id).order_by(RunRow.id)).scalars().all()
        return [runs.get(transaction, run_id) for run_id in ids]


def test_a_step_leaves_its_configuration_and_its_result(workspace: Workspace) -> None:
    assert weigh(workspace) == Outcome(0, np.float64(0.25))
    (run,) = recorded(workspace)
    assert (run.task.verb, run.task.seed, run.state, run.experience) == ("weigh", 7, "done", 0)
    assert run.task.configuration == workspace.configuration.model_dump()
    assert run.result == {"experience": 0, "share": 0.25}


def test_an_error_is_recorded_and_goes_on_its_way(workspace: Workspace) -> None:
    with pytest.raises(BadInput, match="nothing to weigh"):
        weigh(workspace, BadInput("nothing to weigh"))
    assert [(run.state, run.result) for run in recorded(workspace)] == [
        ("failed", {"error": "nothing to weigh"})
    ]


def test_stopping_by_hand_is_recorded(workspace: Workspace) -> None:
    with pytest.raises(KeyboardInterrupt):
        weigh(workspace, KeyboardInterrupt())
    assert [run.result for run in recorded(workspace)] == [{"error": "KeyboardInterrupt"}]


def test_what_a_kill_left_running_is_noted_when_it_is_taken_up_again(workspace: Workspace) -> None:
    with workspace.store.transaction() as transaction:
        runs.start(transaction, runs.Task("weigh"))
        runs.start(transaction, runs.Task("measure"))
    weigh(workspace)
    assert [(run.task.verb, run.state) for run in recorded(workspace)] == [
        ("weigh", "failed"),
        ("measure", "running"),
        ("weigh", "done"),
    ]
