"""`owcl train`."""

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
def train(folder: Path, root: Path, as_json: bool) -> None:
    """Learn the methods that you know, from labelled faces.

    DIR/<method>/ holds the faces of each method, at least 20; genuine faces are the method "real".

    Examples:
      owcl train ~/labelled
      owcl train ~/labelled --workspace cases --json
    """
    with opened(root) as workspace, output.progress() as report:
        from owcl.engine.train import train as learn

        result = learn(workspace, folder, report)
    if as_json:
        output.json_object(result)
        return
    output.table(["class", "faces"], result.classes.items())
    output.fields(
        {
            "model version": result.model_version,
            "accuracy on held-out faces": f"{result.held_out_accuracy:.1%}",
            "in quarantine": result.quarantined,
        }
    )
    output.note("Next: owcl ingest FACES")
