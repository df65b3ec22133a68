"""`owcl update`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from owcl.choices import LEARNERS
from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import json_option, workspace_option
from owcl.cli.session import opened

WHO_ANSWERS = {
    "adapted": "the adapted network",
    "extended": "the earlier network, with what was discovered, decided or came back",
    "unchanged": "as before: there was nothing to learn",
}


def _words(gate: Mapping[str, Any]) -> dict[str, str]:
    """Say what the gate saw; nothing where it was not asked."""
    if not gate:
        return {}
    kept = gate["exemplars_kept"]
    worst = min(kept, key=kept.__getitem__, default=None)
    before, after = (output.percent(gate[f"acc_known_{when}"]) for when in ("before", "after"))
    least = "-" if worst is None else f"{output.percent(kept[worst])} at the least, of class {worst}"
    return {
        "gate": "passed" if gate["passed"] else "not passed",
        "known faces right": f"{before} before, {after} after",
        "exemplars kept": least,
    }


@click.command(cls=TaughtCommand)
@workspace_option
@click.option(
    "--learner",
    metavar="NAME",
    help=f"One of {', '.join(LEARNERS)}; else the one of owcl.toml.",
)
@json_option
def update(root: Path, learner: str | None, as_json: bool) -> None:
    """Learn what was discovered, without forgetting.

    The adapted network answers only if it passes the gate; otherwise the earlier one goes on, with the new
    classes added. Where nothing was discovered, faces of discovered classes that came back are remembered as
    far as there is room, and so make a class firmer that few faces founded.

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
            **_words(result.gate),
        }
    )
    output.note("Next: owcl ingest FACES, or owcl report")
