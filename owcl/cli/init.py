"""`owcl init`."""

from __future__ import annotations

from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand


@click.command(cls=TaughtCommand)
@click.argument(
    "folder", type=click.Path(file_okay=False, path_type=Path), envvar="OWCL_WORKSPACE", default="."
)
def init(folder: Path) -> None:
    """Make a workspace.

    FOLDER, by default $OWCL_WORKSPACE or the current one, gets the configuration owcl.toml, in which every
    key is explained, and the database owcl.db.

    Examples:
      owcl init cases
      owcl init && owcl train ~/labelled
    """
    from owcl.engine.workspace import Workspace

    with Workspace.create(folder) as workspace:
        output.line(workspace.root)
    output.note("Next: owcl train DIR, where DIR/<method>/ holds faces of each method that you know")
