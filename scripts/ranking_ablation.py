"""What teaches the order of edits? The same network and faces, one row for each recipe.

python scripts/ranking_ablation.py [--count 9000] [--steps 1200] [--faces PHOTOGRAPHS]
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import psutil
import torch

from owcl.config import Configuration, TrainingConfiguration
from owcl.engine import train_ranking
from owcl.engine.workspace import Workspace
from owcl.learners.ranking import RECIPES
from scenarios.sequences.build import build

COLUMNS = ("auroc", "component_f1", "fixed", "adaptive", "exact", "exact_short", "heat_iou")


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=9000, help="faces, of which 7 in 10 are learned from")
    parser.add_argument("--steps", type=int, default=1200, help="of 128 faces")
    parser.add_argument("--faces", type=Path, help="photographs to edit; else faces are rendered")
    parser.add_argument("--only", choices=RECIPES, help="one row")
    asked = parser.parse_args()
    print(f"machine: {platform.machine()}, {psutil.cpu_count()} cores, {torch.get_num_threads()} threads")
    print(f"Python {platform.python_version()}, torch {version('torch')}, seed 0")
    print(f"{asked.count} faces, {asked.steps} steps\n")
    print("| recipe | " + " | ".join(COLUMNS) + " | seconds |")
    print("|---" * (len(COLUMNS) + 2) + "|", flush=True)
    with tempfile.TemporaryDirectory() as place:
        tree = build(Path(place) / "edited", asked.faces, count=asked.count)
        for name in RECIPES if asked.only is None else [asked.only]:
            _row(Path(place) / name, tree, asked.steps, name)


def _row(root: Path, tree: Path, steps: int, name: str) -> None:
    settings = Configuration(training=TrainingConfiguration(ranking_steps=steps))
    began = time.perf_counter()
    with Workspace.create(root, settings) as workspace:
        found = train_ranking.train_ranking(workspace, tree, recipe=name).test
    values = " | ".join(f"{found[column]:.3f}" for column in COLUMNS)
    print(f"| {name} | {values} | {time.perf_counter() - began:.0f} |", flush=True)
    if name == list(RECIPES)[-1]:
        floors = {column: round(found[f"floor_{column}"], 3) for column in ("fixed", "adaptive", "exact")}
        print(f"\nThe right components in random order: {floors}")


if __name__ == "__main__":
    main()
