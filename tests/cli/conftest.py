"""A small registry, and the command line as a person or a script calls it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from owcl.cli.main import run
from storage import classes, experiences, faces, memberships
from storage.store import Store

Answer = tuple[int, str, str]
"""Exit code, output and notes."""
Owcl = Callable[..., Answer]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Class 1 `real` with faces 1 to 3, class 2 with faces 4 to 6, nothing trained."""
    root = tmp_path / "cases"
    assert run(["init", str(root)]) == 0
    with Store.open(root / "owcl.db") as store, store.transaction() as transaction:
        experiences.begin(transaction, 0, labelled=True)
        rows = [faces.NewFace(f"{n:064x}", f"/gone/{n}.png", (64, 64), 0) for n in range(1, 7)]
        faces.add_many(transaction, rows)
        for name, start in (("real", 1), (None, 4)):
            new = classes.create(transaction, name, "known" if name else "provisional")
            memberships.assign(transaction, range(start, start + 3), new, memberships.Grounds("label"))
    return root


@pytest.fixture
def owcl(workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Owcl:
    monkeypatch.setenv("OWCL_WORKSPACE", str(workspace))

    def call(*words: str) -> Answer:
        capsys.readouterr()
        code = run(words)
        return (code, *capsys.readouterr())

    return call
