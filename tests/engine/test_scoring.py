"""Which method a class stands for in the figures of a simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from owcl.engine.candidates import Judged, settle
from owcl.engine.scoring import World, registry_of
from owcl.novelty.promotion import Promotion
from owcl.types import Cluster
from scenarios.schedule import Schedule
from scenarios.truth import AnswerKey
from storage import classes, experiences, faces, models
from storage.store import Store


def test_a_class_stands_for_what_it_was_labelled_or_promoted_as_whatever_joins_it_later(
    tmp_path: Path,
) -> None:
    made_by = ["swap"] * 40 + ["real"] * 30
    key = AnswerKey(
        {Path(f"{number}.png"): method for number, method in enumerate(made_by)},
        ("real", "swap"),
        (("real",), ("swap",)),
        {},
    )
    schedule = Schedule("two methods", 8, ("real",), {}, (), ())
    world = World(schedule, key, np.empty((0, 3, 8, 8), np.uint8), np.empty(0, np.int64))
    with Store.open(tmp_path / "owcl.db") as store, store.transaction() as transaction:
        for index in range(4):
            experiences.begin(transaction, index, labelled=index == 0)
        new = [faces.NewFace(f"{number:064x}", f"{number}.png", (8, 8), 1) for number in range(70)]
        ids = faces.add_many(transaction, new)
        models.add(transaction, "models/first.safetensors", {}, (), {})
        real = classes.create(transaction, "real", "known")

        def found(members: slice, promotion: Promotion, experience: int) -> int:
            cluster = Cluster(ids[members], np.zeros(4, np.float32), 1.0)
            entry = settle(transaction, Judged(cluster, promotion), experience, 1).entry
            assert entry is not None
            return entry.id

        swap = found(slice(0, 20), Promotion(True, None, (), False, {}), 1)
        assert found(slice(20, 40), Promotion(False, real, ("same",), False, {}), 2) == real
        assert found(slice(40, 70), Promotion(False, swap, ("same",), False, {}), 3) == swap
        assert registry_of(transaction, world) == {real: 0, swap: 1}
