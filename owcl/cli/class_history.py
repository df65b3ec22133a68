"""`owcl classes undo`, `redo` and `history`: what was decided, and taking it back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import LARGEST_NUMBER, Id, json_option, who_option, workspace_option
from owcl.cli.session import opened
from owcl.types import Decision


@click.command(cls=TaughtCommand)
@click.argument("decision", type=Id("decision"), required=False)
@who_option
@workspace_option
@json_option
def undo(decision: int | None, who: str, root: Path, as_json: bool) -> None:
    """Take back a decision, the last one in force if none is named.

    Undoing again takes back the one before it. owcl classes history shows decisions with their ids.

    Examples:
      owcl classes undo
      owcl classes undo 17 --who anna
    """
    from owcl.engine import history as decided

    with opened(root) as workspace:
        taken_back = decided.undo(workspace.store, who, decision)
    _show_decision(taken_back, "undone", as_json)


@click.command(cls=TaughtCommand)
@click.argument("decision", type=Id("decision"), required=False)
@who_option
@workspace_option
@json_option
def redo(decision: int | None, who: str, root: Path, as_json: bool) -> None:
    """Take back an undo, the last one if none is named.

    Examples:
      owcl classes redo
      owcl classes redo 18 --who anna
    """
    from owcl.engine import history as decided

    with opened(root) as workspace:
        again = decided.redo(workspace.store, who, decision)
    _show_decision(again, "done again", as_json)


@click.command(cls=TaughtCommand)
@click.option(
    "--limit",
    type=click.IntRange(1, LARGEST_NUMBER),
    default=50,
    show_default=True,
    help="How many decisions.",
)
@workspace_option
@json_option
def history(limit: int, root: Path, as_json: bool) -> None:
    """Show who decided what and when, newest first.

    Examples:
      owcl classes history
      owcl classes history --limit 1000 --json
    """
    from owcl.engine import history as decided

    with opened(root) as workspace:
        found = decided.latest(workspace.store, limit)
    if as_json:
        output.json_object({"decisions": found})
    else:
        show_decisions(found)


def _show_decision(decision: Decision, done: str, as_json: bool) -> None:
    if as_json:
        output.json_object(decision)
    else:
        output.line(
            f"{done}: {decision.verb} of {decision.subject} by {decision.who} (decision {decision.id})"
        )


def show_decisions(found: Sequence[Decision]) -> None:
    """Print decisions as a table."""
    rows = [
        (
            str(one.id),
            f"{one.when.astimezone():%Y-%m-%d %H:%M}",
            one.who,
            one.verb,
            one.subject,
            _changes(one),
        )
        for one in found
    ]
    output.table(["decision", "when", "who", "verb", "subject", "change"], rows)


def _changes(decision: Decision) -> str:
    """Return what a decision changed, before → after."""
    from owcl.engine.history import changes

    return ", ".join(
        f"{changed.what}: {changed.after}"
        if changed.class_id is None
        else f"{changed.class_id}.{changed.what}: {_word(changed.before)} → {_word(changed.after)}"
        for changed in changes(decision)
    )


def _word(value: object) -> str:
    return "none" if value is None else str(value)
