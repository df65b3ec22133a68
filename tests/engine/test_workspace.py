"""What a workspace gives to every step of work."""

from __future__ import annotations

import ast
from pathlib import Path

import owcl
from owcl.engine.counting_baselines import LOOPS
from owcl.engine.workspace import TELLING_LETTERS
from owcl.learners.registry import LEARNERS
from owcl.novelty.counting.agreement import WITNESSES

BY_NAME = {*LEARNERS, *WITNESSES, "overclustering", "searched_density"}
"""Purposes that are names of learners and estimators; the last two are those of the loops."""


def purposes() -> tuple[set[str], set[str]]:
    """Return the purposes that stand in calls of `rng`, and the variables that stand there instead."""
    written, variables = set(), set()
    for path in Path(owcl.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "rng"
            ):
                if isinstance(node.args[0], ast.Constant):
                    written.add(node.args[0].value)
                else:
                    variables.add(f"{path.name}: {ast.unparse(node.args[0])}")
    return written, variables


def test_no_two_purposes_share_their_randomness() -> None:
    written, variables = purposes()
    assert variables == {"discover.py: name", "baselines.py: name", "counting_baselines.py: estimator"}
    assert len(LOOPS) == 2
    assert {"train", "discover", "update"} <= written
    told = [purpose[:TELLING_LETTERS] for purpose in written | BY_NAME]
    assert len(set(told)) == len(told)
