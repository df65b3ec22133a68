"""`owcl evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import EXISTING_FOLDER, json_option, workspace_option
from owcl.cli.session import opened


@click.command(cls=TaughtCommand)
@click.argument("folder", type=EXISTING_FOLDER, metavar="DIR")
@workspace_option
@json_option
def evaluate(folder: Path, root: Path, as_json: bool) -> None:
    """Measure accuracy on a labelled test folder.

    DIR/<method>/ holds test faces of each method, on which owcl must never have been trained. A class stands
    for the folder of its name, so name the discovered ones first.

    Examples:
      owcl evaluate ~/test
      owcl evaluate ~/test --json | jq .id_acc_all
    """
    with opened(root) as workspace, output.progress() as report:
        from owcl.engine.evaluate import evaluate as measure

        figures = measure(workspace, folder, report)
    if as_json:
        output.json_object(figures)
    else:
        output.table(["figure", "value"], figures.items())
