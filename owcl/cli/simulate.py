"""`owcl simulate`."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import click

from owcl.cli import output
from owcl.cli.commands import CommandGroup
from owcl.cli.options import EXISTING_FOLDER, json_option
from owcl.cli.session import current

COLUMNS = (
    "id_acc_all",
    "id_acc_novel",
    "acc_known",
    "acc_all_joint",
    "acc_novel_joint",
    "forget_labelled",
    "count_mae",
    "false_new",
    "auroc",
    "seconds",
)


@click.group(cls=CommandGroup)
def simulate() -> None:
    """Run a whole scenario, in which new methods arrive.

    owcl learns the known methods from labelled faces, then meets new ones in unlabelled faces, without being
    told how many. Accuracies are in percent, on test faces that nothing was chosen by.

    \b
    Examples:
      owcl simulate rendered
      owcl simulate folder ~/forge64 --baselines --seeds 3
    """


def _scenario_options(command: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.option(
            "-w",
            "--workspace",
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIR",
            help="Where to keep the workspaces; else simulation-SCENARIO here.",
        ),
        click.option(
            "--baselines", is_flag=True, help="Run k-means, the published CPL and a supervised bound too."
        ),
        click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="How many runs."),
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@simulate.command()
@click.argument("root", type=EXISTING_FOLDER, metavar="DIR")
@_scenario_options
def folder(root: Path, **options: Any) -> None:
    """Methods in a tree DIR/<method>/*, in the order of its stream.toml.

    \b
    Examples:
      owcl simulate folder ~/forge64
      owcl simulate folder ~/forge64 --baselines --seeds 3 --json > results.json
    """
    _simulate("folder", root, None, **options)


@simulate.command()
@_scenario_options
def rendered(**options: Any) -> None:
    """Rendered faces and forgeries of them; needs no images.

    \b
    Examples:
      owcl simulate rendered
      owcl simulate rendered --workspace demo --baselines
    """
    _simulate("rendered", None, None, **options)


@simulate.command()
@click.option("--faces", type=EXISTING_FOLDER, required=True, metavar="DIR", help="Photographs of faces.")
@_scenario_options
def forge(faces: Path, **options: Any) -> None:
    """Forgeries of your own photographs.

    \b
    Examples:
      owcl simulate forge --faces ~/portraits
      owcl simulate forge --faces ~/portraits --seeds 3 --json
    """
    _simulate("forge", None, faces, **options)


def _simulate(
    scenario: Literal["folder", "rendered", "forge"], root: Path | None, faces: Path | None, **options: Any
) -> None:
    from owcl.engine.simulate import simulate as run

    workspace = options["workspace"] or Path(f"simulation-{scenario}")
    workspace.mkdir(parents=True, exist_ok=True)
    current().log_to(workspace)
    with output.progress() as report:
        found = run(scenario, root, faces, workspace, options["seeds"], options["baselines"], report)
    if options["as_json"]:
        output.json_object(found)
        return
    rows = [
        (name, *(_spread(figures[column]) for column in COLUMNS))
        for name, figures in found["methods"].items()
    ]
    output.table(["method", *COLUMNS], rows)
    for place in found["workspaces"]:
        output.note(f"workspace: {place}; owcl report --workspace {place} writes its report")


def _spread(values: Sequence[float | None]) -> str:
    """Return the mean over seeds, with the standard deviation where there are several.

    Example:
        >>> _spread([90.0, 92.0]), _spread([90.0]), _spread([None])
        ('91.0 ± 1.4', '90.0', '-')
    """
    present = [value for value in values if value is not None and value == value]
    if not present:
        return "-"
    mean = f"{statistics.fmean(present):.1f}"
    return f"{mean} ± {statistics.stdev(present):.1f}" if len(present) > 1 else mean
