"""The journal of runs: each step with its configuration, and how it ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from owcl.config import Configuration
from owcl.engine.journal import journalled
from owcl.engine.workspace import Workspace
from owcl.errors import BadInput, Conflict
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


@journalled("measure")
def measure(workspace: Workspace) -> Outcome:
    return weigh(workspace)


@journalled("gather", alone=False)
def gather(workspace: Workspace, meanwhile: Callable[[Workspace], Outcome] | None = None) -> Outcome:
    return Outcome(0, np.float64(0.5)) if meanwhile is None else meanwhile(workspace)


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


def test_an_error_about_a_path_that_is_not_unicode_is_recorded_too(workspace: Workspace) -> None:
    words = os.fsdecode(b"caf\xe9.png: there is no such file")
    with pytest.raises(BadInput, match="there is no such file"):
        weigh(workspace, BadInput(words))
    assert recorded(workspace)[0].result == {"error": words}


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


def test_a_second_step_is_refused_while_one_is_at_work_and_not_afterwards(workspace: Workspace) -> None:
    with pytest.raises(Conflict, match=r"measure \(process \d+\) is at work here, and weigh cannot"):
        measure(workspace)
    weigh(workspace)
    assert [(run.task.verb, run.state) for run in recorded(workspace)] == [
        ("measure", "failed"),
        ("weigh", "done"),
    ]


def test_a_step_that_was_killed_holds_up_nobody(workspace: Workspace, tmp_path: Path) -> None:
    code = (
        "import fcntl, os, sys; lock = open(sys.argv[1], 'a'); fcntl.flock(lock, fcntl.LOCK_EX); "
        "print(flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "owcl.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(Conflict, match="is at work here"):
            weigh(workspace)
        holder.kill()
    weigh(workspace)


def test_a_step_that_need_not_be_alone_runs_beside_others_and_leaves_the_living_alone(
    workspace: Workspace,
) -> None:
    gather(workspace, weigh)
    gather(workspace, gather)
    assert [(run.task.verb, run.state) for run in recorded(workspace)] == [
        ("gather", "done"),
        ("weigh", "done"),
        ("gather", "done"),
        ("gather", "done"),
    ]


def test_a_living_run_is_not_said_to_be_interrupted(workspace: Workspace) -> None:
    def look(inside: Workspace) -> Outcome:
        gather(inside)
        assert [run.state for run in recorded(inside)] == ["running", "done"]
        return Outcome(0, np.float64(0.5))

    gather(workspace, look)
