"""What are an operator's answers worth? The same streams and session-0 weights, one row for each operator.

python scripts/operator_effect.py DIR [--seeds 3] [--workspace operators] [--quick]

Interrupted, it goes on where it was when it is run again.
"""

from __future__ import annotations

import argparse
import platform
import shutil
from importlib.metadata import version
from pathlib import Path

from owcl.cli.output import progress
from owcl.engine.asked import Asked
from owcl.engine.simulate import simulate
from owcl.engine.workspace import Workspace
from owcl.evaluation.table import summary
from storage import attributions, decisions, memberships

OPERATORS = {
    "none": None,
    "20 of the queue": "oracle",
    "20 at random": "random:20",
    "20 of the queue, one in ten wrong": "noisy:0.1",
}
COLUMNS = (
    "acc_novel_joint",
    "acc_novel_own",
    "id_acc_all",
    "acc_known",
    "persistence",
    "count_mae",
    "answers",
    "changed",
)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="a tree of method folders with a stream.toml")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workspace", type=Path, default=Path("operators"), help="where workspaces are kept")
    parser.add_argument("--quick", action="store_true", help="learn with half of the steps")
    asked = parser.parse_args()
    place: Path = asked.workspace
    print(f"{platform.platform()}, torch {version('torch')}, seeds 0 to {asked.seeds - 1}", flush=True)
    rows = {}
    with progress() as report:
        start = Asked("folder", asked.root, quick=asked.quick, until=0)
        simulate(start, place / "start", asked.seeds, report)
        for name, operator in OPERATORS.items():
            home = place / (operator or "none").replace(":", "-")
            if not home.exists():
                shutil.copytree(place / "start", home)
            lived = simulate(Asked("folder", asked.root, operator=operator), home, asked.seeds, report)
            answered = zip(*map(answers, lived["workspaces"]), strict=True)
            rows[name] = lived["methods"]["owcl"] | dict(zip(("answers", "changed"), answered, strict=True))
            print(name, {column: rows[name][column] for column in COLUMNS}, flush=True)
    print("\n| operator |", " | ".join(COLUMNS), "|\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for cells in summary(rows, COLUMNS):
        print("|", " | ".join(cells), "|")


def answers(root: str) -> tuple[float, float]:
    """Return how many faces an operator put into a class, and how many of them stood elsewhere."""
    with Workspace.open(Path(root)) as workspace, workspace.store.reading() as transaction:
        sight = attributions.first_sight(transaction)
        class_of = dict(zip(sight.face_ids.tolist(), sight.class_ids.tolist(), strict=True))
        moves = [
            (class_of[face_id] if before is None else before, after)
            for decision in decisions.history(transaction)
            if decision.verb == "label"
            for face_id, (before, after) in memberships.moved_by(transaction, decision.id).items()
        ]
    return float(len(moves)), float(sum(before != after for before, after in moves))


if __name__ == "__main__":
    main()
