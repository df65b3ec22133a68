"""What becomes of discoveries on long streams: false classes, lasting ids, and how soon a trickle is noticed.

python scripts/bench_streams.py WORKSPACE [--presets quiet return ...] [--seeds 3] [--full]

Each preset of arrival is lived through over rendered faces, with half of the training unless --full is given.
Interrupted, it goes on where it was when it is run again.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from owcl.cli.output import progress
from owcl.engine.asked import Asked
from owcl.engine.simulate import simulate
from owcl.engine.workspace import Workspace
from owcl.evaluation.discovery import false_new
from owcl.evaluation.table import summary
from storage import experiences, faces, models

PRESETS = ("quiet", "reposted", "return", "return_long", "trickle", "lookalike", "burst")
COLUMNS = ("discovery_f1", "count_mae", "latency_faces", "persistence", "swaps", "acc_known", "id_acc_all")


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("workspace", type=Path, help="where streams are kept, one folder a preset")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=PRESETS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--full", action="store_true", help="learn with all of the steps")
    asked = parser.parse_args()
    print(f"{platform.platform()}, torch {version('torch')}, seeds 0 to {asked.seeds - 1}", flush=True)
    headers = (
        "preset",
        "experiences",
        "faces",
        "model versions",
        "false classes per 100 experiences",
        *COLUMNS,
    )
    print("\n| " + " | ".join(headers) + " |\n" + "|---" * len(headers) + "|", flush=True)
    for preset in asked.presets:
        with progress() as report:
            lived = simulate(
                Asked("rendered", preset=preset, quick=not asked.full),
                asked.workspace / preset,
                asked.seeds,
                report,
            )
        print("| " + " | ".join(row(preset, lived)) + " |", flush=True)


def row(preset: str, lived: Mapping[str, Any]) -> Sequence[str]:
    """Return the cells of a preset: what it was, its false classes, and means over seeds."""
    figures = lived["methods"]["owcl"]
    seen = [extent(Path(root)) for root in lived["workspaces"]]
    lengths, sizes, versions = (sum(counts) for counts in zip(*seen, strict=True))
    made = false_new(round(sum(figures["false_new"])), lengths, sizes)
    (cells,) = summary({preset: figures}, COLUMNS)
    return [preset, str(lengths), str(sizes), str(versions), f"{made['per_100_experiences']:.1f}", *cells[1:]]


def extent(root: Path) -> tuple[int, int, int]:
    """Return a stream's unlabelled experiences, the faces that came in with them, and the model versions."""
    with Workspace.open(root) as workspace, workspace.store.reading() as transaction:
        latest = experiences.latest(transaction)
        length = 0 if latest is None else latest.index
        came = sum(faces.count(transaction, index) for index in range(1, length + 1))
        return length, came, len(models.everything(transaction))


if __name__ == "__main__":
    main()
