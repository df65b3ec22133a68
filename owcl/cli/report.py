"""`owcl report`."""

from __future__ import annotations

from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import output_option, workspace_option
from owcl.cli.session import opened


@click.command(cls=TaughtCommand)
@output_option("target", "Where to write it; else report.html in the workspace.")
@workspace_option
def report(target: Path | None, root: Path) -> None:
    """Write a report as one HTML file.

    It holds the figures and all its pictures, so it can be sent as it is; beside it go the figures as SVG and
    the metrics as CSV.

    Examples:
      owcl report
      owcl report --output ~/reports/cases.html
    """
    with opened(root) as workspace:
        from owcl.engine.report import report as write

        written = write(workspace, target)
    output.line(written)
