"""`owcl classes`: what there is to look at, before somebody decides."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.class_history import show_decisions
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import CLASS, json_option, output_option, workspace_option
from owcl.cli.session import opened
from owcl.types import LIVE


@click.command("list", cls=TaughtCommand)
@click.option("--all", "everything", is_flag=True, help="Merged and rejected ones too.")
@workspace_option
@json_option
def list_command(everything: bool, root: Path, as_json: bool) -> None:
    """List the classes with their numbers of faces.

    Examples:
      owcl classes list
      owcl classes list --all --json
    """
    from owcl.engine import class_view

    with opened(root) as workspace:
        lines = class_view.list_classes(workspace.store)
    shown = [line for line in lines if everything or line.status in LIVE]
    if as_json:
        output.json_object({"classes": shown})
        return
    headers = ["id", "name", "family", "status", "faces", "born"]
    if everything:
        headers.append("merged_into")
    output.table(headers, [[getattr(line, header) for header in headers] for line in shown])


@click.command(cls=TaughtCommand)
@click.argument("class_", type=CLASS, metavar="CLASS")
@workspace_option
@json_option
def show(class_: str, root: Path, as_json: bool) -> None:
    """Show a class with its evidence, a few of its faces and its history.

    Examples:
      owcl classes show 12
      owcl classes show "StyleGAN 2" --json
    """
    from owcl.engine import class_view

    with opened(root) as workspace:
        view = class_view.show(workspace.store, class_)
    if as_json:
        output.json_object(view)
        return
    nearest = {} if view.nearest is None else {"nearest class": f"{view.nearest.id} {view.nearest.name}"}
    output.fields(
        asdict(view.line) | {"by label or discovery": f"{view.members} faces"} | dict(view.evidence) | nearest
    )
    for source in view.examples:
        output.line(f"example  {source}")
    if view.decisions:
        show_decisions(view.decisions)


@click.command(cls=TaughtCommand)
@click.argument("class_", type=CLASS, metavar="CLASS")
@output_option("picture", "Where to draw it; else class-ID.png here.")
@workspace_option
@json_option
def sheet(class_: str, picture: Path | None, root: Path, as_json: bool) -> None:
    """Draw a class's surest, least sure and some random faces, with their scores.

    Under each face stand its id, for owcl classes label or split, and the probability of the class and the
    p-value, or "label" where a person told its class before there was a model.

    Examples:
      owcl classes sheet new-12
      owcl classes sheet "StyleGAN 2" --output sheet.png
    """
    with opened(root) as workspace:
        from owcl.engine.sheet import draw_sheet

        drawn, count = draw_sheet(workspace, class_, picture)
    if as_json:
        output.json_object({"picture": str(drawn), "faces": count})
        return
    output.line(f"{drawn}: {count} faces")


@click.command(cls=TaughtCommand)
@workspace_option
@json_option
def proposals(root: Path, as_json: bool) -> None:
    """Show which clusters wait to be a class, which classes look like one, and which one like several.

    Nothing is changed: adopt, merge or split as you see fit.

    Examples:
      owcl classes proposals
      owcl classes proposals --json
    """
    with opened(root) as workspace, output.progress() as report:
        from owcl.engine.proposals import proposals as look

        found = look(workspace, report)
    if as_json:
        output.json_object({"proposals": found})
        return
    for proposal in found:
        output.line(proposal.command)
        output.fields(dict(proposal.evidence))
    if not found:
        output.note("There is nothing to adopt, to merge or to split.")
