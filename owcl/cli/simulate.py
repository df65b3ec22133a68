"""`owcl simulate`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from owcl.choices import LEARNERS
from owcl.cli import output
from owcl.cli.commands import CommandGroup
from owcl.cli.options import EXISTING_FOLDER, json_option
from owcl.cli.session import current, opened

if TYPE_CHECKING:
    from owcl.engine.asked import Scenario


@click.group(cls=CommandGroup)
def simulate() -> None:
    """Run a whole scenario, in which new methods arrive.

    owcl learns the known methods from labelled faces, then meets new ones in unlabelled faces, without being
    told how many. Accuracies are in percent, on test faces that nothing was chosen by.

    Examples:
      owcl simulate rendered
      owcl simulate folder ~/faces --baselines --seeds 3
    """


def _scenario_options(command: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.option(
            "-w",
            "--workspace",
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIR",
            help="Where to keep the workspaces; else simulation-SCENARIO here, with preset and operator.",
        ),
        click.option(
            "--baselines", is_flag=True, help="Run k-means, the published CPL and a supervised bound too."
        ),
        click.option(
            "--peers",
            is_flag=True,
            help="Run every learner with the true number too, and published systems that count; "
            "implies --baselines.",
        ),
        click.option(
            "--all-learners",
            is_flag=True,
            help="Go through the same stream with every other learner of owcl too, from the same weights.",
        ),
        click.option(
            "--learner",
            default="cpl",
            show_default=True,
            metavar="NAME",
            help="What owcl learns discoveries with; `owcl update --help` names them.",
        ),
        click.option(
            "--preset",
            metavar="NAME",
            help="How methods arrive: steady, cgcd, offline, families, quiet, return, return_long, burst, "
            "trickle, reposted or lookalike; else by the scenario's own plan.",
        ),
        click.option(
            "--operator",
            metavar="KIND",
            help="Who answers owcl queue after each discovery: oracle, noisy:0.1, lazy:20 or random:20.",
        ),
        click.option(
            "--quick",
            is_flag=True,
            help="In a new workspace, learn with half of the steps, for a first look.",
        ),
        click.option(
            "--until",
            type=click.IntRange(0),
            metavar="N",
            help="Stop after experience N, to look or to play the operator yourself; run again to go on. "
            "Not with --baselines, --peers or --all-learners.",
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
    """Methods in a tree DIR/<method>/*, in the order of its stream.toml or a sensible one.

    Examples:
      owcl simulate folder ~/faces
      owcl simulate folder ~/faces --peers --seeds 3 --json > results.json
    """
    _simulate("folder", options, root=root)


@simulate.command()
@_scenario_options
def rendered(**options: Any) -> None:
    """Rendered faces and forgeries of them; needs no images.

    Examples:
      owcl simulate rendered --preset quiet
      owcl simulate rendered --workspace demo --baselines
    """
    _simulate("rendered", options)


@simulate.command()
@click.option("--faces", type=EXISTING_FOLDER, required=True, metavar="DIR", help="Photographs of faces.")
@_scenario_options
def forge(faces: Path, **options: Any) -> None:
    """Forgeries of your own photographs.

    Examples:
      owcl simulate forge --faces ~/portraits
      owcl simulate forge --faces ~/portraits --seeds 3 --json
    """
    _simulate("forge", options, photographs=faces)


@simulate.command()
@click.argument("name", metavar="BENCHMARK")
@click.option("--root", type=EXISTING_FOLDER, required=True, metavar="DIR", help="Its faces, as published.")
@_scenario_options
def benchmark(name: str, root: Path, **options: Any) -> None:
    """A published benchmark, whose families arrive one after another.

    BENCHMARK is owdfa-p1, owdfa-p2, owdfa40-p1, owdfa40-p2 or owdfa40-p3; videos stay on one side of the
    test. A benchmark has its own plan, so that no preset applies.

    Examples:
      owcl simulate benchmark owdfa-p1 --root ~/OW-DFA
      owcl simulate benchmark owdfa40-p2 --root ~/OWDFA40 --baselines
    """
    if options["preset"] is not None:
        raise click.UsageError("a benchmark has its own plan; leave --preset out")
    _simulate("benchmark", options, benchmark=name, root=root)


@simulate.command()
@click.argument("root", type=EXISTING_FOLDER, metavar="DIR")
@_scenario_options
def df40(root: Path, **options: Any) -> None:
    """The methods of DF40, in its published layout; by the preset families if none is named.

    Examples:
      owcl simulate df40 ~/DF40
      owcl simulate df40 ~/DF40 --preset offline --seeds 3
    """
    _simulate("df40", options, root=root)


@simulate.command()
@click.argument("root", type=EXISTING_FOLDER, metavar="DIR")
@click.option("--track", metavar="NAME", help="facial_components or facial_attributes, where DIR has both.")
@_scenario_options
def seqdeepfake(root: Path, track: str | None, **options: Any) -> None:
    """The edit sequences of Seq-DeepFake, in its published layout.

    Each sequence is a method, and those of as many edits a family; by the preset families if none is named.

    Examples:
      owcl simulate seqdeepfake ~/Seq-DeepFake --track facial_components
      owcl simulate seqdeepfake ~/Seq-DeepFake --track facial_attributes --preset offline
    """
    _simulate("seqdeepfake", options, root=root, track=track)


def _simulate(
    scenario: Scenario,
    options: Mapping[str, Any],
    **faces: Any,
) -> None:
    from owcl.engine.asked import Asked, check
    from owcl.engine.baselines import BASELINES, PEERS
    from owcl.engine.simulate import simulate as run
    from owcl.evaluation.table import COLUMNS, summary

    preset = options["preset"]
    parts = ("simulation", scenario, preset, (options["operator"] or "").replace(":", "-"))
    workspace = options["workspace"] or Path("-".join(filter(None, parts)))
    rows = (*BASELINES, *PEERS) if options["peers"] else tuple(BASELINES) if options["baselines"] else ()
    others = tuple(name for name in LEARNERS if options["all_learners"] and name != options["learner"])
    asked = Asked(
        scenario,
        learner=options["learner"],
        preset=preset,
        operator=options["operator"],
        rows=rows,
        other_learners=others,
        quick=options["quick"],
        until=options["until"],
        **faces,
    )
    check(asked)
    workspace.mkdir(parents=True, exist_ok=True)
    current().log_to(workspace)
    with output.progress() as report:
        found = run(asked, workspace, options["seeds"], report)
    reports = [_written(Path(place)) for place in found["workspaces"]]
    if options["as_json"]:
        output.json_object(found)
        return
    # Turned round, since methods are fewer than figures.
    output.compared(*_turned(["", *COLUMNS], summary(found["methods"], COLUMNS)))
    for place in reports:
        output.note(f"Report: {place}")


def _written(root: Path) -> Path:
    from owcl.engine.report import report

    with opened(root) as workspace:
        return report(workspace)


def _turned(headers: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    columns = [list(column) for column in zip(headers, *rows, strict=True)]
    return columns[0], columns[1:]
