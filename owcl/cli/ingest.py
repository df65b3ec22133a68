"""`owcl ingest`."""

from __future__ import annotations

from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import json_option, named_sources, workspace_option
from owcl.cli.session import opened


@click.command(cls=TaughtCommand)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUTS...")
@workspace_option
@json_option
def ingest(inputs: tuple[str, ...], root: Path, as_json: bool) -> None:
    """Take in unlabelled faces and attribute them.

    INPUTS are images, folders, patterns, zip archives, or - for a list of paths on standard input. The same
    content is taken in once, so running it again goes on where it stopped. What cannot be read, and what is
    gone of a list, goes to quarantine with the reason.

    Examples:
      owcl ingest ~/inbox faces.zip "more/**/*.png"
      find /evidence -type f -newer last | owcl ingest -
    """
    with opened(root) as workspace, output.progress() as report:
        from owcl.engine.ingest import ingest as take_in

        result = take_in(workspace, list(named_sources(inputs)), report)
    if as_json:
        output.json_object(result)
        return
    output.fields(
        {
            "experience": result.experience,
            "new faces": result.new,
            "of known classes": result.known,
            "unknown": result.unknown,
            "here already": result.already,
            "in quarantine": result.quarantined,
            "taken whole, no face found": result.without_face,
            "faces a second": round(result.new / max(result.seconds, 1e-9)),
        }
    )
    for bad in result.refused:
        output.note(f"{bad.source}: {bad.reason}")
    if result.quarantined > len(result.refused):
        output.note(f"These are the first of {result.quarantined}; `owcl report` lists them all.")
    if not (result.new or result.already or result.quarantined):
        output.note("No images were found in what was named.")
    if result.alarm is not None and result.alarm.since:
        output.note(f"First noticed at {result.alarm.since}")
    if result.new:
        output.note("Next: owcl discover")
