"""What is each part of CPL and CAL worth? The same streams and session-0 weights, one row for each learner.

python scripts/learner_ablation.py DIR [--seeds 3] [--workspace ablation] [--quick]

Discoveries are learned by CPL, by CAL, and by CPL with one part of CAL at a time. Interrupted, it goes on
where it was when it is run again.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from owcl import choices
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
        """Yield `(B,)` rows as CPL draws them; CAL is told by its teacher which classes are old."""
        return self.cpl.batches(labels, rng)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return CPL's losses and the chosen ones of CAL."""
        added = {name: loss for name, loss in self.cal.losses(batch).items() if name in self.parts}
        return self.cpl.losses(batch) | added


def joined(*parts: str) -> Build:
    """Return how to build CPL with some parts of CAL."""
    return lambda network, rng, teacher: Joined(network, rng, teacher, frozenset(parts))


ABLATED: dict[str, Build] = {
    "official_cal": PUBLISHED["cal"],
    "cpl+consistency": joined("consistency"),
    "cpl+reinforcement": joined("reinforcement"),
    "cpl+consistency+reinforcement": joined("consistency", "reinforcement"),
}
ROWS = {PLAIN: ("cal", *ABLATED), ATTENTIVE: ("cal",)}
"""Which learners are compared with CPL on each backbone."""


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
    LEARNERS.update(ABLATED)
    # A workspace takes only names that it knows.
    choices.LEARNERS.update(dict.fromkeys(ABLATED, __name__))
    rows = {}
    with progress() as report:
        for backbone, learners in ROWS.items():
            home = asked.workspace / backbone
            begin(home, asked, backbone)
            lived = simulate(Asked("folder", asked.root, other_learners=learners), home, asked.seeds, report)
            rows |= {f"{name}, {backbone}": figures for name, figures in lived["methods"].items()}
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


if __name__ == "__main__":
    main()
