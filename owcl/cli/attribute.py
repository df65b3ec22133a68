"""`owcl attribute`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import json_option, named_sources, workspace_option
from owcl.cli.session import opened
from owcl.errors import BadInput

COLUMNS = ("source", "class_id", "name", "family", "probability", "p_value", "forged", "components")


@click.command(cls=TaughtCommand)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUTS...")
@workspace_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option(
    "--heat-maps",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Draw where each face was edited; needs a model of the task ranking.",
)
def attribute(
    inputs: tuple[str, ...], root: Path, as_json: bool, as_csv: bool, heat_maps: Path | None
) -> None:
    """Say who made images, without taking them in.

    INPUTS are as for owcl ingest. The p-value says how unusual a face would be for a known class: small means
    unknown, which is class -1. Where a ranking model was trained, "forged" is its probability that the face
    was edited, and "components" what was edited, in order.

    Examples:
      owcl attribute suspect.png
      owcl attribute ~/inbox --csv > answers.csv
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other. Choose one.")
    with opened(root) as workspace, output.progress() as report:
        from owcl.engine.attribute import attribute as judge

        attributed, quarantined = judge(workspace, list(named_sources(inputs)), report, heat_maps)
    columns = COLUMNS if any(face.forged is not None for face in attributed) else COLUMNS[:-2]
    rows = [[_shown(getattr(face, column)) for column in columns] for face in attributed]
    if as_json:
        output.json_object({"faces": attributed, "quarantined": quarantined})
    elif as_csv:
        output.csv_rows(columns, rows)
    else:
        output.table(columns, rows)
    for bad in quarantined:
        output.note(f"{bad.source}: {bad.reason}")
    if quarantined and not attributed:
        raise BadInput(
            "attribute: none of the images can be read, as said above. Correct the paths or the files."
        )


def _shown(value: Any) -> Any:
    return " ".join(value) if isinstance(value, tuple) else value
