from __future__ import annotations

from pathlib import Path

import grimp
import numpy as np
import pytest

from scenarios.truth import AnswerKey

KEY = AnswerKey(
    method_of={Path("a.png"): "gan", Path("b.png"): "real", Path("c.png"): "warp"},
    methods=("real", "gan", "swap", "warp"),
    arrivals=(("real", "gan"), ("swap",), (), ("warp",)),
    families={"gan": "entire-face synthesis"},
)
BLIND = (
    "owcl.learners",
    "owcl.novelty",
    "owcl.memory",
    "owcl.models",
    "owcl.engine.ingest",
    "owcl.engine.discover",
    "owcl.engine.update",
    "owcl.engine.attribute",
    "scenarios.streams",
    "scenarios.method_folders",
)


def test_a_method_number_is_its_place_in_the_order_of_arrival() -> None:
    numbers = KEY.numbers([Path("c.png"), Path("a.png"), Path("b.png"), Path("a.png")])
    assert numbers.dtype == np.int64
    assert numbers.tolist() == [3, 1, 0, 1]


def test_no_faces_have_no_numbers() -> None:
    numbers = KEY.numbers([])
    assert (numbers.dtype, numbers.shape) == (np.int64, (0,))


def test_what_has_arrived_grows_with_the_experiences_and_the_rest_is_future() -> None:
    assert KEY.arrived(0) == [{0, 1}]
    assert KEY.arrived(2) == [{0, 1}, {2}, set()]
    assert KEY.arrived(3) == [{0, 1}, {2}, set(), {3}]


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("owcl", "scenarios", "storage", cache_dir=None)


def test_the_truth_is_imported_by_what_makes_it_and_by_the_simulator(imports: grimp.ImportGraph) -> None:
    """Without this the next test would pass over an empty graph too."""
    importers = imports.find_modules_that_directly_import("scenarios.truth")
    makers = {"scenarios.folder", "scenarios.composition", "scenarios.layouts.benchmark"}
    assert importers == makers | {"owcl.engine.asked", "owcl.engine.simulate", "owcl.engine.scoring"}


@pytest.mark.parametrize("module", BLIND)
def test_what_learns_reaches_the_truth_over_no_chain_of_imports(
    imports: grimp.ImportGraph, module: str
) -> None:
    assert module in imports.modules
    assert not imports.chain_exists(module, "scenarios.truth", as_packages=True)
