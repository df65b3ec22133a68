"""`owcl reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import json_option


@click.command(cls=TaughtCommand)
@click.argument("name", metavar="BENCHMARK")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="The benchmark's faces, in the published layout.",
)
@click.option(
    "-o",
    "--output",
    "place",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    metavar="DIR",
    help="Where to write BENCHMARK.json and BENCHMARK.md; else here.",
)
@click.option(
    "--split",
    type=click.Choice(["official", "grouped"]),
    default="official",
    show_default=True,
    help="Frames drawn one by one, as published, or videos kept on one side.",
)
@click.option("--learner", metavar="NAME", help="cpl, mpsl, cal or cal_uncounted; else the benchmark's own.")
@click.option("--backbone", metavar="NAME", help="Else the learner's own, a ResNet-50.")
@click.option(
    "--weights", metavar="WEIGHTS", help='A file or "random"; else those of ImageNet, as published.'
)
@click.option("--image-size", type=click.IntRange(16), help="Pixels a side; else 256.")
@click.option("--epochs", type=click.IntRange(1), help="Else 50.")
@json_option
def reproduce(name: str, root: Path, place: Path, as_json: bool, **choices: Any) -> None:
    """Run a published recipe on its benchmark.

    The published row is shown beside. BENCHMARK is owdfa-p1, owdfa-p2, owdfa40-p1, owdfa40-p2 or owdfa40-p3.
    At full size a GPU is needed, and memory for all faces. What is not as published is said. Interrupted,
    it goes on after the last whole epoch when it is run again.

    Examples:
      owcl reproduce owdfa-p1 --root ~/OW-DFA
      owcl reproduce owdfa40-p2 --root ~/OWDFA40 --backbone resnet18 --weights random --epochs 5
    """
    from owcl.engine.reproduce import COLUMNS, Asked
    from owcl.engine.reproduce import reproduce as run

    with output.progress() as report:
        found = run(Asked(name, root, **choices), place, report)
    if as_json:
        output.json_object(found)
        return
    rows = [(column, f"{found.ours[column]:.2f}", f"{found.published[column]:.2f}") for column in COLUMNS]
    output.table(["", "this run", "published"], rows)
    for deviation in found.deviations:
        output.note(f"Not as published: {deviation}")
    output.note(f"Written: {place / name}.md and .json")
