"""An empty store for every test of the storage, and one with ten faces in two experiences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import experiences, faces, models
from storage.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "owcl.db") as opened:
        yield opened


@pytest.fixture
def filled(store: Store) -> Store:
    """Faces 1 to 5 in the labelled experience 0, 6 to 10 in experience 1; model versions 1 and 2."""
    with store.transaction() as transaction:
        for index in (0, 1):
            experiences.begin(transaction, index, labelled=index == 0)
            rows = [
                faces.NewFace(f"{number:064x}", f"{number}.png", (64, 48), index)
                for number in range(5 * index, 5 * index + 5)
            ]
            faces.add_many(transaction, rows)
            models.add(transaction, f"models/{index}.safetensors", {}, (), {})
    return store
