"""A small registry, without images: what verbs on classes are tried on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import classes, experiences, faces, memberships
from storage.store import Store


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


def members(store: Store) -> dict[int, list[int]]:
    with store.reading() as transaction:
        return {
            entry.id: memberships.members(transaction, entry.id).tolist()
            for entry in classes.everything(transaction)
        }


def registered(store: Store) -> list[object]:
    with store.reading() as transaction:
        return list(classes.everything(transaction))
