"""`owcl queue`."""

from __future__ import annotations

from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import json_option, workspace_option
from owcl.cli.session import opened
from owcl.types import MethodClass


@click.command(cls=TaughtCommand)
@click.option("--budget", type=click.IntRange(1), default=20, show_default=True, help="How many faces.")
@workspace_option
@json_option
def queue(budget: int, root: Path, as_json: bool) -> None:
    """Show recent faces whose labels would help most.

    They are of the latest experience and seem to stand in the wrong class, as many others like them do. A
    doubt of more than 0.5 says that the other class is likelier. Label them with owcl classes label; the next
    owcl update learns it.

    Examples:
      owcl queue --budget 10
      owcl queue --json
    """
    with opened(root) as workspace:
        from owcl.engine.queue import queue as look

        questions = look(workspace, budget)
    if as_json:
        output.json_object({"questions": questions})
        return
    rows = [
        (each.face_id, _named(each.stands_in), _named(each.looks_like), f"{each.doubt:.2f}", each.source)
        for each in questions
    ]
    output.table(["face", "stands in", "looks like", "doubt", "source"], rows)
    output.note("Next: owcl classes label CLASS FACES..." if rows else "Nothing is in doubt.")


def _named(entry: MethodClass | None) -> str:
    return "none" if entry is None else f"{entry.id} {entry.name}"
