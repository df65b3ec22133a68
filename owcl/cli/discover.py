"""`owcl discover`."""

from __future__ import annotations

from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import json_option, workspace_option
from owcl.cli.session import opened


@click.command(cls=TaughtCommand)
@workspace_option
@json_option
def discover(root: Path, as_json: bool) -> None:
    """Look for new methods among the faces taken in.

    Says how many there are, with an interval, and makes a provisional class of each that is large and stable
    enough. Nothing found is an answer too.

    Examples:
      owcl discover
      owcl discover --json | jq .promoted
    """
    with opened(root) as workspace, output.progress() as report:
        from owcl.engine.discover import discover as look

        result = look(workspace, report)
    if as_json:
        output.json_object(result)
        return
    output.fields(
        {
            "experience": result.experience,
            "faces ingested since the last discovery": result.came_in,
            "faces of no known class": result.pool,
            "new methods": f"{result.value} (between {result.low} and {result.high})",
            "faces of classes that there were": result.recognised,
            "faces in no cluster": result.loose,
            "clusters that wait": result.waiting,
        }
    )
    if result.promoted:
        rows = [(entry.id, entry.name, result.sizes[entry.id]) for entry in result.promoted]
        output.table(["id", "class", "faces"], rows)
    if result.unseen_below is not None:
        output.note(
            f"A part of so many faces is looked at at a time: a method with fewer than about "
            f"{result.unseen_below} of them may have gone unseen."
        )
    if result.waiting > result.drifted:
        output.note(
            "`owcl classes proposals` says why clusters wait; `owcl classes adopt` makes a class of one."
        )
    if result.drifted:
        output.note(
            f"{result.drifted} of the clusters that wait look like known faces that were compressed again, "
            "resized or blurred, and not like a new method."
        )
    if result.promoted:
        output.note("Next: owcl classes show ID and owcl classes name ID NAME, then owcl update")
    else:
        output.note("Next: owcl ingest FACES, or owcl update if you decided about classes")
