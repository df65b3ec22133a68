"""Killed at any moment, nothing is lost, nothing is there twice, and running again comes to the same end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from owcl.cli.main import run
from owcl.config import FILE_NAME
from owcl.engine.workspace import Workspace
from storage import attributions, classes, experiences, faces, memberships, models, quarantine
from tests.conftest import SmallWorld

KILLS = 20
VERBS = ("ingest", "discover", "update")


@pytest.fixture(scope="module")
def server() -> Any:
    """Processes that start with everything imported, so that a kill hits work and not an import."""
    context = get_context("forkserver")
    context.set_forkserver_preload(
        [
            "owcl.cli.main",
            "owcl.engine.update",
            "owcl.engine.discover",
            "owcl.engine.ingest",
            "hdbscan",
            "faiss",
        ]
    )
    # The first process waits for the imports; the times measured later must not.
    first = context.Process(target=run, args=(["--version"],))
    first.start()
    first.join()
    return context


@pytest.fixture(scope="module")
def undisturbed(
    small_world: SmallWorld, server: Any, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """The workspace before each verb, how long the verb takes, and what it comes to."""
    root = small_world.copy(tmp_path_factory.mktemp("undisturbed"))
    _hasten(root)
    before, seconds, after = {}, {}, {}
    for verb in VERBS:
        before[verb] = Path(shutil.copytree(root, root.parent / f"before-{verb}"))
        began = time.monotonic()
        _started(server, verb, root, small_world.arriving).join()
        seconds[verb] = time.monotonic() - began
        after[verb] = _state(root)
    assert len(after["discover"]["classes"]) > len(after["ingest"]["classes"])
    return {"before": before, "seconds": seconds, "after": after}


@pytest.mark.parametrize("verb", VERBS)
def test_killed_at_random_moments_it_comes_to_the_same_end(
    verb: str,
    undisturbed: dict[str, Any],
    small_world: SmallWorld,
    server: Any,
    tmp_path: Path,
    rng: np.random.Generator,
) -> None:
    root = Path(shutil.copytree(undisturbed["before"][verb], tmp_path / "workspace"))
    killed = 0
    seconds = undisturbed["seconds"][verb]
    for _ in range(KILLS):
        began = time.monotonic()
        process = _started(server, verb, root, small_world.arriving)
        process.join(rng.uniform(0.02, seconds))
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.join()
        _check_integrity(root)
        if process.exitcode == 0:
            # It was faster than the kill: start over from before, so that the next kill hits work too.
            seconds = min(seconds, time.monotonic() - began)
            assert _state(root) == undisturbed["after"][verb]
            shutil.rmtree(root)
            shutil.copytree(undisturbed["before"][verb], root)
    assert killed >= KILLS // 3
    _started(server, verb, root, small_world.arriving).join()
    assert _state(root) == undisturbed["after"][verb]


def _hasten(root: Path) -> None:
    """Let steps of learning be few: each kill costs half of a run, and any moment is as good as another."""
    settings = root / FILE_NAME
    text = settings.read_text(encoding="utf-8")
    for name in ("arrival_steps", "update_steps"):
        text = re.sub(rf"^{name} = \d+", f"{name} = 8", text, flags=re.MULTILINE)
    settings.write_text(text, encoding="utf-8")


def _started(server: Any, verb: str, root: Path, inputs: Path) -> Any:
    """Start what a person would type, in a process of its own."""
    words = [verb, *([str(inputs)] if verb == "ingest" else []), "--workspace", str(root)]
    process = server.Process(target=run, args=(words,))
    process.start()
    return process


def _check_integrity(root: Path) -> None:
    with Workspace.open(root) as workspace:
        assert workspace.store.check_integrity() == []


def _state(root: Path) -> dict[str, Any]:
    """Return what a workspace has come to, without the times at which it did."""
    with Workspace.open(root) as workspace, workspace.store.reading() as transaction:
        everyone = faces.by_ids(transaction, range(1, faces.count(transaction) + 1))
        judged = attributions.current(transaction)
        belonging = memberships.active(transaction)
        answering = models.answering(transaction)
        return {
            "faces": [(face.id, face.sha256, face.experience) for face in everyone],
            "attributions": list(zip(judged.face_ids.tolist(), judged.class_ids.tolist(), strict=True)),
            "p_values": judged.p_values.round(9).tolist(),
            "members": list(zip(belonging.face_ids.tolist(), belonging.class_ids.tolist(), strict=True)),
            "classes": [(entry.id, entry.name, entry.status) for entry in classes.everything(transaction)],
            "experiences": [(row.index, row.state) for row in experiences.everything(transaction)],
            "model": None if answering is None else (answering.id, answering.weights),
            "quarantined": quarantine.count(transaction),
        }
