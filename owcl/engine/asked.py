"""What `owcl simulate` is asked for, and the stream that comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from owcl.engine import operator
from owcl.engine.workspace import Report
from owcl.errors import BadInput
from owcl.learners.registry import learner_named
from scenarios import composition
from scenarios import folder as folder_scenario
from scenarios.composition import read_preset
from scenarios.layouts import benchmark, df40, seqdeepfake
from scenarios.schedule import Schedule
from scenarios.truth import AnswerKey

Scenario = Literal["folder", "rendered", "forge", "benchmark", "df40", "seqdeepfake"]
FACES_PER_METHOD = 300
PUBLISHED_IMAGE_SIZE = 256
"""Pixels a side of the faces of DF40 and Seq-DeepFake."""
TREE_IS_GIVEN = {
    "folder": "folder DIR",
    "benchmark": "benchmark NAME --root DIR",
    "df40": "df40 DIR",
    "seqdeepfake": "seqdeepfake DIR",
}
"""How a person names the tree of those scenarios that need one."""


@dataclass(frozen=True)
class Asked:
    """What is to be simulated."""

    scenario: Scenario
    root: Path | None = None
    """The tree of `folder`, `benchmark`, `df40` and `seqdeepfake`."""
    photographs: Path | None = None
    """The faces of `forge`."""
    learner: str = "cpl"
    """What learns discoveries."""
    preset: str | None = None
    """How methods arrive; by the scenario's own plan where there is none."""
    operator: str | None = None
    """Who answers the queue after each discovery: `oracle`, `noisy:0.1`, `lazy:20` or `random:20`."""
    benchmark: str | None = None
    """Of the scenario `benchmark`, whose families arrive one after another."""
    track: str | None = None
    """Of the scenario `seqdeepfake`, where its tree has both."""
    rows: tuple[str, ...] = ()
    """Baselines and peers to run beside owcl, by name."""
    other_learners: tuple[str, ...] = ()
    """Learners to live through the same stream with, each in a workspace of its own."""
    quick: bool = False
    """Learn with half of the steps, for a first look."""
    until: int | None = None
    """The experience to stop after; run again without it to go on."""


def check(asked: Asked) -> None:
    """Refuse what cannot be simulated, before anything is made.

    Raises:
        BadInput: if an operator or where to stop makes no sense.
        NotFound: if there is no such learner, preset or benchmark.
    """
    for learner in (asked.learner, *asked.other_learners):
        learner_named(learner)
    if asked.operator is not None:
        operator.parsed(asked.operator)
    if asked.benchmark is not None:
        benchmark.read_protocol(asked.benchmark)
    if asked.preset is not None:
        read_preset(asked.preset)
    if asked.until is not None and (asked.rows or asked.other_learners):
        raise BadInput("simulate: other rows are compared at the end of the stream. Leave out where to stop.")


def stream_of(asked: Asked, workspace: Path, seed: int, report: Report) -> tuple[Schedule, AnswerKey]:
    """Return when each face comes in and what made it; faces that are to be rendered are made first.

    Args:
        asked: the scenario and its preset.
        workspace: under which faces are made, in `faces/`.
        seed: of the stream.
        report: told of progress.

    Raises:
        BadInput: if the scenario's folder is missing or cannot be used.
        Conflict: if faces were made there with other settings.
    """
    tree = _tree(asked, workspace, seed, report)
    copies = workspace / "faces" / f"copies-{seed}"
    if asked.scenario == "benchmark":
        assert asked.benchmark is not None
        protocol = benchmark.read_protocol(asked.benchmark)
        return benchmark.continual(protocol, benchmark.read_faces(protocol, tree, "grouped"), seed)
    if asked.scenario in ("df40", "seqdeepfake"):
        preset = "families" if asked.preset is None else asked.preset
        return composition.composed(_published(asked, tree), preset, copies, PUBLISHED_IMAGE_SIZE, seed)
    if asked.preset is None:
        return folder_scenario.load(tree, seed)
    return composition.load(tree, asked.preset, copies, seed)


def _tree(asked: Asked, home: Path, seed: int, report: Report) -> Path:
    def progress(done: int, total: int) -> None:
        report("making faces", done, total)

    place = home / "faces" / f"{asked.scenario}-{seed}"
    count = FACES_PER_METHOD if asked.preset is None else read_preset(asked.preset).faces_per_method
    if asked.scenario == "rendered":
        from scenarios.rendered import build as rendered

        place.parent.mkdir(parents=True, exist_ok=True)
        return rendered.build(place, seed, faces_per_method=count, progress=progress)
    if asked.scenario == "forge":
        from scenarios.forge import build as forge

        if asked.photographs is None:
            raise BadInput("simulate forge: no photographs. A folder of faces is expected: --faces DIR.")
        place.parent.mkdir(parents=True, exist_ok=True)
        return forge.build(place, asked.photographs, seed, faces_per_method=count, progress=progress)
    if asked.root is None:
        raise BadInput(
            f"simulate {asked.scenario}: no folder. The tree of its faces is expected: "
            f"{TREE_IS_GIVEN[asked.scenario]}."
        )
    return asked.root


def _published(asked: Asked, tree: Path) -> folder_scenario.Tree:
    if asked.scenario == "df40":
        return df40.read(tree)
    return seqdeepfake.as_methods(seqdeepfake.read(tree, asked.track))
