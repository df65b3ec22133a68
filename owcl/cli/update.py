"""`owcl update`."""

from __future__ import annotations

from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import json_option, workspace_option
from owcl.cli.session import opened

WHO_ANSWERS = {
    "adapted": "the adapted network",
    "extended": "the earlier network, with what was discovered and decided",
    "unchanged": "as before: there was nothing to learn",
}


@click.command(cls=TaughtCommand)
@workspace_option
@click.option(
    "--learner",
    metavar="NAME",
    help="cpl, mpsl, cal, simgcd, happy, er, der or supervised; else the one of owcl.toml.",
)
@json_option
def update(root: Path, learner: str | None, as_json: bool) -> None:
    """Learn what was discovered, without forgetting.

    The adapted network answers only if it passes the gate; otherwise the earlier one goes on, with the new
    classes added.

    Examples:
      owcl update
      owcl update --workspace cases --learner mpsl
    """
    with opened(root) as workspace, output.progress() as report:
        from owcl.engine.update import update as learn

        result = learn(workspace, report, learner)
    if as_json:
        output.json_object(result)
        return
    output.fields(
        {
            "experience": result.experience,
            "model version": result.model_version,
            "answers now": WHO_ANSWERS[result.answers],
            **result.gate,
        }
    )
    output.note("Next: owcl ingest FACES, or owcl report")
