"""`owcl forgetting`."""

from __future__ import annotations

from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import json_option, output_option, workspace_option
from owcl.cli.session import opened


@click.command(cls=TaughtCommand)
@output_option("target", "Draw it there too, as SVG.")
@workspace_option
@json_option
def forgetting(target: Path | None, root: Path, as_json: bool) -> None:
    """Show which classes each model version still knew.

    Every version that was ever stored judges the held-out faces of every class, on which none was trained:
    the share of them that it gives to the class, in percent. What is forgotten is how far the last version
    is below the best before it.

    Examples:
      owcl forgetting
      owcl forgetting --output forgetting.svg
    """
    with opened(root) as workspace, output.progress() as report:
        from owcl.engine.forgetting import drawn
        from owcl.engine.forgetting import forgetting as look

        found = look(workspace, report)
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(drawn(found), encoding="utf-8")
        output.note(f"Drawn: {target}")
    if as_json:
        output.json_object({"versions": found.versions, "classes": found.classes, "mean": found.mean})
        return
    output.table(
        ["class", "faces", *found.titles, "forgotten"],
        [
            [one.title, one.faces, *map(output.percent, (*one.accuracies, one.forgotten))]
            for one in found.classes
        ],
    )
    output.note(f"Forgotten in the mean: {output.percent(found.mean)}.")
