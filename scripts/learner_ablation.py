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
from owcl.engine.simulate import Asked, simulate
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
ROWS = {
    "CPL": ("cpl", PLAIN),
    "CAL": ("cal", PLAIN),
    "official CAL": ("official_cal", PLAIN),
    "CPL + consistency": ("cpl+consistency", PLAIN),
    "CPL + reinforcement": ("cpl+reinforcement", PLAIN),
    "CPL + both": ("cpl+both", PLAIN),
    "CPL + frequency attention": ("cpl", ATTENTIVE),
    "CAL + frequency attention": ("cal", ATTENTIVE),
}
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


LEARNERS |= {
    "official_cal": PUBLISHED["cal"],
    "cpl+consistency": joined("consistency"),
    "cpl+reinforcement": joined("reinforcement"),
    "cpl+both": joined("consistency", "reinforcement"),
}


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
        for name, (learner, backbone) in ROWS.items():
            start, home = asked.workspace / backbone, asked.workspace / f"{backbone}-{learner}"
            if not home.exists():
                begin(start, asked, backbone)
                simulate(Asked("folder", asked.root, until=0), start, asked.seeds, report)
                copy(start, home, learner)
            lived = simulate(Asked("folder", asked.root, learner=learner), home, asked.seeds, report)
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


def copy(start: Path, home: Path, learner: str) -> None:
    """Copy workspaces that have learned session 0, and let another learner go on from there."""
    fresh = home.with_name(f"{home.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(start, fresh)
    for path in fresh.rglob(FILE_NAME):
        settings = Configuration.read(path)
        training = settings.training.model_copy(update={"learner": learner})
        settings.model_copy(update={"training": training}).write(path)
    fresh.rename(home)


if __name__ == "__main__":
    main()
