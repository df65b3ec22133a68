"""`owcl export`."""

from __future__ import annotations

from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import json_option, workspace_option
from owcl.cli.session import opened


@click.command(cls=TaughtCommand)
@click.argument("kind", type=click.Choice(["csv", "parquet", "imagefolder"]))
@click.argument("target", type=click.Path(path_type=Path), metavar="OUT")
@workspace_option
@json_option
def export(kind: str, target: Path, root: Path, as_json: bool) -> None:
    """Write all faces as CSV, Parquet or folders of images.

    Each face comes with its source, its class and on whose word, probability and p-value. An imagefolder is a
    copy of each image as OUT/<class>/<sha256>.<suffix>. Nothing is overwritten.

    Examples:
      owcl export csv faces.csv
      owcl export imagefolder ~/sorted
    """
    with opened(root) as workspace, output.progress() as report:
        from owcl.engine.export import export as write

        result = write(workspace, kind, target, report)
    if as_json:
        output.json_object(result)
    else:
        output.fields({"written": result.path, "faces": result.faces})
    for source in result.missing:
        output.note(f"{source}: it can no longer be read, or is another image now, and is left out")
