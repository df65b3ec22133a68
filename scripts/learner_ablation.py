"""What is each part of CPL and CAL worth? The same streams and session-0 weights, one row for each learner.

python scripts/learner_ablation.py DIR [--seeds 3] [--workspace ablation] [--quick]

Discoveries are learned by CPL, by CAL, and by CPL with one part of CAL at a time. Interrupted, it goes on
where it was when it is run again.
"""

from __future__ import annotations

import argparse
import platform
import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from owcl.cli.output import progress
from owcl.config import (
    FILE_NAME,
    Configuration,
    FacesConfiguration,
    ModelConfiguration,
    TrainingConfiguration,
)
from owcl.engine.asked import Asked
from owcl.engine.simulate import simulate
from owcl.engine.workspace import Workspace
from owcl.evaluation.table import summary
from owcl.learners.base import Batch
from owcl.learners.cal import CAL, Recipe
from owcl.learners.cpl import CPL
from owcl.learners.registry import LEARNERS, PUBLISHED, Build
from owcl.models.network import Network
from scenarios import folder

PLAIN = "forensic_small"
ATTENTIVE = "forensic_small+frequency"
COLUMNS = (
    "acc_novel_joint",
    "acc_novel_own",
    "acc_all_joint",
    "id_acc_all",
    "acc_known",
    "count_mae",
    "seconds_per_experience",
)


class Joined(nn.Module):
    """CPL, and beside its losses some of CAL's on the same network and batches."""

    def __init__(
        self, network: Network, rng: torch.Generator, teacher: Network | None, parts: frozenset[str]
    ) -> None:
        super().__init__()
        self.network = network
        self.rng = rng
        self.parts = parts
        self.cpl = CPL(network, rng, teacher=teacher)
        self.cal = CAL(network, rng, replace(Recipe(), distillation=0.0), teacher)

    def batches(self, labels: NDArray[np.int64], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yield `(B,)` rows; both learners draw them alike."""
        return self.cal.batches(labels, rng)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return CPL's losses and the chosen ones of CAL."""
        added = {name: loss for name, loss in self.cal.losses(batch).items() if name in self.parts}
        return self.cpl.losses(batch) | added


def joined(*parts: str) -> Build:
    """Return how to build CPL with some parts of CAL."""
    return lambda network, rng, teacher: Joined(network, rng, teacher, frozenset(parts))


ROWS = {
    "CPL": (LEARNERS["cpl"], PLAIN),
    "CAL": (LEARNERS["cal"], PLAIN),
    "official CAL": (PUBLISHED["cal"], PLAIN),
    "CPL + consistency": (joined("consistency"), PLAIN),
    "CPL + reinforcement": (joined("reinforcement"), PLAIN),
    "CPL + both": (joined("consistency", "reinforcement"), PLAIN),
    "CPL + frequency attention": (LEARNERS["cpl"], ATTENTIVE),
    "CAL + frequency attention": (LEARNERS["cal"], ATTENTIVE),
}
STAND_IN = "cpl"
"""The name under which each row's learner is asked for, since a workspace takes only names that it knows."""


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="a tree of method folders with a stream.toml")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workspace", type=Path, default=Path("ablation"), help="where workspaces are kept")
    parser.add_argument("--quick", action="store_true", help="learn with half of the steps")
    asked = parser.parse_args()
    print(f"machine: {platform.machine()}, {psutil.cpu_count()} cores, {torch.get_num_threads()} threads")
    print(f"Python {platform.python_version()}, torch {version('torch')}, seeds 0 to {asked.seeds - 1}")
    rows = {}
    with progress() as report:
        for name, (build, backbone) in ROWS.items():
            start, home = asked.workspace / backbone, asked.workspace / name.replace(" ", "-")
            if not home.exists():
                begin(start, asked, backbone)
                simulate(Asked("folder", asked.root, until=0), start, asked.seeds, report)
                copy(start, home)
            LEARNERS[STAND_IN] = build
            lived = simulate(Asked("folder", asked.root, learner=STAND_IN), home, asked.seeds, report)
            rows[name] = lived["methods"]["owcl"]
            print(name, {column: rows[name][column] for column in COLUMNS}, flush=True)
    print("\n| learner |", " | ".join(COLUMNS), "|\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for cells in summary(rows, COLUMNS):
        print("|", " | ".join(cells), "|")


def begin(place: Path, asked: argparse.Namespace, backbone: str) -> None:
    """Make a workspace for each seed, where there is none yet."""
    training = TrainingConfiguration()
    for seed in range(asked.seeds):
        home = place if asked.seeds == 1 else place / f"seed-{seed}"
        if not (home / FILE_NAME).exists():
            schedule, _ = folder.load(asked.root, seed)
            settings = Configuration(
                seed=seed,
                faces=FacesConfiguration(image_size=schedule.image_size),
                model=ModelConfiguration(backbone=backbone),
                training=training.halved() if asked.quick else training,
            )
            Workspace.create(home, settings).close()


def copy(start: Path, home: Path) -> None:
    """Copy workspaces that have learned the labelled faces, for another learner to go on from there."""
    fresh = home.with_name(f"{home.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(start, fresh)
    fresh.rename(home)


if __name__ == "__main__":
    main()
