"""`owcl attribute`."""

from __future__ import annotations

from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import json_option, with_standard_input, workspace_option
from owcl.cli.session import opened

COLUMNS = ("source", "class_id", "name", "family", "probability", "p_value")


@click.command(cls=TaughtCommand)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUTS...")
@workspace_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
def attribute(inputs: tuple[str, ...], root: Path, as_json: bool, as_csv: bool) -> None:
    """Say who made images, without taking them in.

    INPUTS are as for owcl ingest. The p-value says how unusual a face would be for a known class: small means
    unknown, which is class -1.

    Examples:
      owcl attribute suspect.png
      owcl attribute ~/inbox --csv > answers.csv
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other. Choose one.")
    with opened(root) as workspace, output.progress() as report:
        from owcl.engine.attribute import attribute as judge

        attributed, quarantined = judge(workspace, list(with_standard_input(inputs)), report)
    rows = [[getattr(face, column) for column in COLUMNS] for face in attributed]
    if as_json:
        output.json_object({"faces": attributed, "quarantined": quarantined})
    elif as_csv:
        output.csv_rows(COLUMNS, rows)
    else:
        output.table(COLUMNS, rows)
    for bad in quarantined:
        output.note(f"{bad.source}: {bad.reason}")
