"""The report of a workspace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection

from owcl.engine.report import report
from owcl.engine.workspace import Workspace
from owcl.evaluation import figures
from owcl.types import Embeddings
from storage import embeddings, experiences, faces, models


def test_only_faces_that_are_drawn_are_read_for_the_map(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    usual = embeddings.read

    def counted(transaction: Connection, version: int, face_ids: np.ndarray | None = None) -> Embeddings:
        found = usual(transaction, version, face_ids)
        read.append(len(found.vectors))
        return found

    monkeypatch.setattr(embeddings, "read", counted)
    monkeypatch.setattr(figures, "LARGEST_MAP", 20)
    with Workspace.create(tmp_path) as workspace:
        with workspace.store.transaction() as transaction:
            experiences.begin(transaction, 0)
            rows = [faces.NewFace(f"{n:064x}", f"/gone/{n}.png", (64, 64), 0) for n in range(60)]
            face_ids = faces.add_many(transaction, rows)
            version = models.add(transaction, "models/0.safetensors", {}, (), {})
            vectors = rng.normal(size=(60, 4)).astype(np.float32)
            embeddings.write(transaction, Embeddings(face_ids, vectors, version))
        report(workspace)
    assert read == [20]
    assert (tmp_path / "figures" / "map.svg").exists()
