"""`owcl train`."""

from __future__ import annotations

from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import EXISTING_FOLDER, json_option, workspace_option
from owcl.cli.session import opened


@click.command(cls=TaughtCommand)
@click.argument("folder", type=EXISTING_FOLDER, metavar="DIR")
@click.option(
    "--task",
    type=click.Choice(["attribution", "ranking"]),
    default="attribution",
    show_default=True,
    help="Who made a face; or whether, where and in which order it was edited.",
)
@click.option("--track", metavar="NAME", help="Of a tree of edited faces that holds several.")
@click.option(
    "--recipe",
    metavar="NAME",
    help="What teaches the order of edits: slides+pair, the default; pair or graded, each by itself; slides, "
    "whose loss only weighs faces; or literal, all as printed.",
)
@workspace_option
@json_option
def train(folder: Path, task: str, track: str | None, recipe: str | None, root: Path, as_json: bool) -> None:
    """Learn the methods that you know, from labelled faces.

    DIR/<method>/ holds the faces of each method, at least 20 of each of two or more; genuine faces are the
    method "real". Frames of a video lie in DIR/<method>/<video>/, so that videos are held out whole to
    calibrate on. A workspace has one labelled start; what comes later is ingested. For the task "ranking",
    DIR holds edited faces in the layout of Seq-DeepFake, as owcl sequences makes them.

    Examples:
      owcl train ~/labelled
      owcl train --task ranking ~/edited --workspace cases
    """
    if task == "ranking":
        _train_ranking(folder, track, recipe, root, as_json)
        return
    for option, value in (("--track", track), ("--recipe", recipe)):
        if value is not None:
            raise click.UsageError(f"{option} goes with --task ranking")
    with opened(root) as workspace, output.progress() as report:
        from owcl.engine.train import train as learn

        result = learn(workspace, folder, report)
    if as_json:
        output.json_object(result)
        return
    output.table(["class", "faces"], result.classes.items())
    output.fields(
        {
            "model version": result.model_version,
            "accuracy on held-out faces": f"{result.held_out_accuracy:.1%}",
            "known faces that may be called unknown": f"{result.false_alarm_rate:.1%}",
            "in quarantine": result.quarantined,
        }
    )
    output.note("Next: owcl ingest FACES")


def _train_ranking(folder: Path, track: str | None, recipe: str | None, root: Path, as_json: bool) -> None:
    with opened(root) as workspace, output.progress() as report:
        from owcl.engine.train_ranking import train_ranking

        result = train_ranking(workspace, folder, track, report, recipe)
    if as_json:
        output.json_object(result)
        return
    output.table(["split", "faces"], result.faces.items())
    output.table(["on test faces", "figure"], [(name, f"{value:.3f}") for name, value in result.test.items()])
    output.fields({"model version": result.model_version, "could not be read": result.quarantined})
    output.note("Next: owcl localise IMAGE")
